"""scikit-learn's checks and tools on our estimators and on others: what passes, what fails."""
