/** Rotary positions (RoFormer, arXiv 2104.09864): the frequency of each pair, and how longer contexts change it. */
import type { CheckpointFacts } from './architecture.ts';
import type { ConfigReader } from './config-reader.ts';

export type Rope = {
  /** [rotarySize / 2] what a position is multiplied by to give each pair's angle. */
  readonly inverseFrequencies: Float32Array;
  /** How many leading columns of a head turn. */
  readonly rotarySize: number;
  /** What sine and cosine are multiplied by, of queries and keys alike (YaRN, LongRoPE); else 1. */
  readonly factor: number;
};

export type RopeOptions = {
  /** Phi-3: the config may say that only a part of a head turns. */
  partial?: boolean;
  /** Other names of scalings, as the architecture reads them (Phi-3's `su` is `longrope`). */
  aliases?: ReadonlyMap<string, string>;
  /** The first context, where the config itself does not name it. */
  originalContext?: number;
  /** The theta of a config that names none. */
  theta?: number;
};

/** 1 / theta^(2i / size) for each pair i, rounded where the reference in float32 rounds. */
export function ropeFrequencies(theta: number, size: number): Float32Array {
  return Float32Array.from({ length: size / 2 }, (_, i) => 1 / Math.fround(theta ** Math.fround((2 * i) / size)));
}

/**
 * The rotary positions that a config asks for, in the spelling of old (`rope_theta`, `rope_scaling`) or of new configs
 * (`rope_parameters`). `dynamic` scaling (NTK) changes nothing within `max_position_embeddings`, where a plan ends.
 */
export function readRope(
  config: ConfigReader,
  headSize: number,
  facts: CheckpointFacts,
  options: RopeOptions = {},
): Rope {
  const scaling = sectionOf(config);
  const part = (scaling?.has('partial_rotary_factor') ? scaling : config).real('partial_rotary_factor', 1);
  if (part !== 1 && options.partial !== true) config.unsupported('heads of which a part turns');
  const rotarySize = Math.floor(headSize * part);
  if (part > 1 || rotarySize < 2 || rotarySize % 2 !== 0) {
    config.damaged(`${rotarySize} columns of a head of ${headSize} cannot turn`);
  }
  return { ...scaledRope(config, rotarySize, facts, options), rotarySize };
}

/** The frequencies of `rotarySize` columns, for architectures that were never published with a scaling that has a factor. */
export function frequenciesOf(
  config: ConfigReader,
  rotarySize: number,
  facts: CheckpointFacts,
  theta?: number,
): Float32Array {
  const { inverseFrequencies, factor } = scaledRope(config, rotarySize, facts, { theta });
  return factor === 1 ? inverseFrequencies : config.unsupported('scaled positions with a factor');
}

function sectionOf(config: ConfigReader): ConfigReader | null {
  return config.section('rope_scaling') ?? config.section('rope_parameters');
}

function scaledRope(config: ConfigReader, rotarySize: number, facts: CheckpointFacts, options: RopeOptions): Scaled {
  const scaling = sectionOf(config);
  if (scaling?.section('full_attention') || scaling?.section('sliding_attention')) {
    config.unsupported('positions that differ from layer to layer');
  }
  const asked = scaling ?? config;
  const theta = (asked.has('rope_theta') ? asked : config).real('rope_theta', options.theta ?? 10_000);
  const named = scaling?.text('rope_type', scaling.text('type', 'default')) ?? 'default';
  const scale =
    facts.ropeDivisors === null
      ? (scalings.get(options.aliases?.get(named) ?? named) ?? config.unsupported(`positions scaled by ${named}`))
      : listed;
  const key = 'original_max_position_embeddings';
  const context = (): number => {
    // Where both the config and its section name it, the config's own counts.
    if (config.has(key)) return config.size(key);
    if (options.originalContext !== undefined) return options.originalContext;
    return asked.has(key) ? asked.size(key) : config.size('max_position_embeddings');
  };
  const plain = ropeFrequencies(theta, rotarySize);
  const rope = scale({ config, scaling: asked, facts, context, theta, rotarySize, plain });
  const turns = rope.inverseFrequencies.every((value) => value > 0 && Number.isFinite(value));
  // Published factors are 1.0 to 1.6; a plan takes none above 100.
  if (!turns || !(rope.factor >= 0.01 && rope.factor <= 100)) {
    config.damaged('its rotary positions come out impossible');
  }
  return rope;
}

type Asked = {
  readonly config: ConfigReader;
  readonly scaling: ConfigReader;
  readonly facts: CheckpointFacts;
  /** The context before it was made longer. */
  context(): number;
  readonly theta: number;
  readonly rotarySize: number;
  readonly plain: Float32Array;
};
type Scaled = Omit<Rope, 'rotarySize'>;

const scalings: ReadonlyMap<string, (asked: Asked) => Scaled> = new Map(
  Object.entries({ default: unscaled, dynamic: unscaled, linear, llama3, yarn, longrope }),
);

function unscaled({ plain }: Asked): Scaled {
  return { inverseFrequencies: plain, factor: 1 };
}

/** GGUF lists what each frequency is divided by. */
function listed({ config, facts, plain }: Asked): Scaled {
  return { inverseFrequencies: divided(plain, facts.ropeDivisors ?? [], config), factor: 1 };
}

/** All positions closer together (kaiokendev, 2023). */
function linear({ scaling, plain }: Asked): Scaled {
  const factor = scaling.real('factor');
  return { inverseFrequencies: plain.map((frequency) => frequency / factor), factor: 1 };
}

/** Llama 3.1: what turns slower than once in the first context is slowed, with a blend between. */
function llama3({ config, scaling, context, plain }: Asked): Scaled {
  const factor = scaling.real('factor');
  const [low, high] = [scaling.real('low_freq_factor'), scaling.real('high_freq_factor')];
  if (high <= low) config.damaged('high_freq_factor is not above low_freq_factor');
  const first = context();
  const inverseFrequencies = plain.map((frequency) => {
    const turns = (first * frequency) / (2 * Math.PI);
    if (turns < low) return frequency / factor;
    if (turns > high) return frequency;
    const share = (turns - low) / (high - low);
    return ((1 - share) / factor + share) * frequency;
  });
  return { inverseFrequencies, factor: 1 };
}

/** YaRN (arXiv 2309.00071): slow pairs are slowed, fast ones kept, and the scores sharpened. */
function yarn({ config, scaling, theta, rotarySize, plain, ...asked }: Asked): Scaled {
  const context = asked.context();
  const factor = realOr(scaling, 'factor') ?? config.size('max_position_embeddings') / context;
  const sharpness = (scale: number) => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
  const [mscale, mscaleAll] = [realOr(scaling, 'mscale'), realOr(scaling, 'mscale_all_dim')];
  const derived = mscale !== null && mscaleAll !== null ? sharpness(mscale) / sharpness(mscaleAll) : sharpness(1);

  /** The pair that turns so often in the first context. */
  const pairOf = (turns: number) => (rotarySize * Math.log(context / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const whole = scaling.flag('truncate', true);
  const [first, last] = [pairOf(realOr(scaling, 'beta_fast') ?? 32), pairOf(realOr(scaling, 'beta_slow') ?? 1)];
  const from = Math.max(whole ? Math.floor(first) : first, 0);
  const to = Math.min(whole ? Math.ceil(last) : last, rotarySize - 1);
  const inverseFrequencies = plain.map((frequency, i) => {
    const slowed = Math.min(Math.max((i - from) / (to === from ? 0.001 : to - from), 0), 1);
    return (frequency / factor) * slowed + frequency * (1 - slowed);
  });
  return { inverseFrequencies, factor: realOr(scaling, 'attention_factor') ?? derived };
}

/**
 * LongRoPE (arXiv 2402.13753): each pair has two divisors, for sequences within the first context and for longer ones.
 * The reference takes them by the length at hand; a plan has the ones of its own context's length.
 */
function longrope({ config, scaling, facts, plain, ...asked }: Asked): Scaled {
  const context = asked.context();
  const published = config.size('max_position_embeddings');
  const factor = realOr(scaling, 'factor') ?? published / context;
  const derived = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(context));
  const isLong = Math.min(facts.contextTokens ?? published, published) > context;
  const key = isLong ? 'long_factor' : 'short_factor';
  const divisors = scaling.reals(key) ?? config.damaged(`${key} is missing`);
  return {
    inverseFrequencies: divided(plain, divisors, config),
    factor: realOr(scaling, 'attention_factor') ?? derived,
  };
}

function divided(plain: Float32Array, divisors: ArrayLike<number>, config: ConfigReader): Float32Array {
  if (divisors.length !== plain.length) {
    return config.damaged(`it has ${divisors.length} rotary divisors for ${plain.length}`);
  }
  return plain.map((frequency, i) => frequency / divisors[i]!);
}

function realOr(config: ConfigReader, key: string): number | null {
  return config.has(key) ? config.real(key) : null;
}
