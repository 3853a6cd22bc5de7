"""How good is it beside what people use on small tables: accuracy, probabilities and time."""
