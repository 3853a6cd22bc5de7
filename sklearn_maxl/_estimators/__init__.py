"""scikit-learn's side: parameters, checks, fit, predict."""
