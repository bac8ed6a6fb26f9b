"""The experiment: data, the two Keras networks, their compiled training, their evaluation; no Ray, no files."""
