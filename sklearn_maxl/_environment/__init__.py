"""Process-wide state: device, threads, random numbers; scikit-learn's underscored names."""
