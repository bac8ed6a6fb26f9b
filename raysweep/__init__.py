"""raysweep: trains a grid of stateful Keras LSTM networks on Ray and reports what each can learn."""
