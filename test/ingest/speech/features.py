"""Writes features.json: what transformers' WhisperFeatureExtractor makes of a signal that a formula gives.

    python test/ingest/speech-features.py > test/ingest/features.json

Made with transformers 5.17, numpy 2 (no torch: the reference in float64). The signal: 7 s of three tones that swell and a
noise by a linear congruential generator, so that the test can make it again.
"""

import json
import numpy as np
from transformers import WhisperFeatureExtractor

rate, seconds = 16000, 7
state = 12345
noise = np.empty(rate * seconds)
for i in range(len(noise)):
    state = (state * 1103515245 + 12345) % 2**31
    noise[i] = state / 2**30 - 1
t = np.arange(rate * seconds) / rate
signal = 0.3 * np.sin(2 * np.pi * 220 * t) * np.abs(np.sin(t)) + 0.2 * np.sin(2 * np.pi * 1730 * t) + 0.1 * np.sin(2 * np.pi * 5100 * t * (1 + 0.01 * t)) + 0.02 * noise
extract = WhisperFeatureExtractor()
features = extract._np_extract_fbank_features(np.pad(signal.astype(np.float32), (0, 30 * rate - len(signal)))[None], device="cpu")[0]
frames = [0, 1, 57, 58, 333, 698, 699, 700, 701, 702, 2999]
print(json.dumps({"frames": frames, "features": [[round(float(v), 5) for v in features[:, f]] for f in frames]}))
