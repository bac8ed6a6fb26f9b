"""raysweep: trains a grid of stateful Keras LSTM networks as Ray Tune trials and reports what each can learn."""
