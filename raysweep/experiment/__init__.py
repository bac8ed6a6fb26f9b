"""The experiment: data, the two Keras networks, compiled training, evaluation; no Ray, no files."""
