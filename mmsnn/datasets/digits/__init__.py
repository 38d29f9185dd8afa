"""scikit-learn's digits: classification, and the bundled detection set."""
