/** Written by test/eval/refusal.ts: what the signs of a search are worth. */
import type { Doubt } from './doubt.ts';
import type { Calibration } from './relevance.ts';

/** By the name of the embedder. */
export const calibrations: Readonly<Record<string, Calibration>> = {
  'all-minilm-l6-v2': {
    english: {
      bias: -9.574,
      weights: {
        similarity: 11.144,
        stretch: 3.361,
        whole: 1.05,
        pairs: 2.652,
        missing: 0.853,
        names: 1.282,
        agreement: 0.739,
        wordGap: 1.937,
        lead: 0.524,
      },
      least: -0.21,
    },
    latin: {
      bias: -5.155,
      weights: {
        similarity: -0.975,
        stretch: 2.452,
        whole: 3.901,
        pairs: 8.814,
        missing: -0.25,
        names: 2.009,
        agreement: 1.28,
        wordGap: 1.575,
        lead: 3.069,
      },
      least: -2.359,
    },
    other: {
      bias: -6.94,
      weights: {
        similarity: 3.221,
        stretch: 6.871,
        whole: 9.069,
        pairs: 4.025,
        missing: 0.035,
        names: 0.873,
        agreement: 1.014,
        wordGap: 1.752,
        lead: -0.706,
      },
      least: -1.474,
    },
  },
};

/** For words alone: no embedder, or one that was not measured. */
export const wordCalibration: Calibration = {
  english: {
    bias: -5.991,
    weights: { stretch: 3.743, whole: 2.035, pairs: 5.481, missing: 0.346, names: 1.832, wordGap: 3.659, lead: 0.378 },
    least: -1.087,
  },
  latin: {
    bias: -4.986,
    weights: { stretch: 4.059, whole: 3.93, pairs: 9.378, missing: -0.619, names: 1.674, wordGap: 2.566, lead: 1.141 },
    least: -2.652,
  },
  other: {
    bias: -5.558,
    weights: { stretch: 6.701, whole: 9.394, pairs: 4.836, missing: 0.246, names: 0.878, wordGap: 1.904, lead: -0.603 },
    least: -1.505,
  },
};

/** Whether passages that speak of a question may not answer it, by the name of the embedder. */
export const doubts: Readonly<Record<string, Doubt>> = {
  'all-minilm-l6-v2': {
    bias: -3.618,
    weights: {
      sentence: 4.249,
      namesNowhere: -0.956,
      numbersMissing: -0.958,
      free: 0.625,
      hasCandidate: 0.645,
      notOnlyAsked: -2.141,
      opposite: -2.235,
      undone: -1.712,
    },
    least: -1.155,
  },
};
