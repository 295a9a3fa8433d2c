/**
 * Scanned pages, a language each: Tesseract's data for its neural recognizer, the best ones in whole numbers. English comes
 * with Quoth. A package holds another, older set of the same language too, which is fetched with it and not kept.
 */
import { licences } from '../entry.ts';
import type { KitEntry, KitFile } from './kit.ts';

/** Tesseract's name of a language, the archive's size and integrity, the file's size and SHA-256. */
type Data = readonly [string, number, string, number, string];

function fileOf([code, archiveBytes, integrity, sizeBytes, sha256]: Data): KitFile {
  const archive = { name: `@tesseract.js-data/${code}`, version: '1.0.0', integrity, sizeBytes: archiveBytes };
  const name = `${code}.traineddata.gz`;
  return { name, sizeBytes, sha256, archive, path: `package/4.0.0_best_int/${name}` };
}

function scan(language: string, name: string, ...data: readonly [Data, ...Data[]]): KitEntry {
  return {
    ...{ id: `scan-${data[0][0]}`, name, role: 'scan', ...licences.apache },
    ...{ languages: [language], note: 'Reads scanned pages in this language.', files: data.map(fileOf) },
  };
}

export const scanLanguages: readonly KitEntry[] = [
  scan('fr', 'French', [
    'fra',
    6_959_264,
    'sha512-pp58gMaoyidoBBLd5y5rnf0WW0Y1994QrGqZrYatITqIU/AReUJMykD+YY3JDgvnmgz7uAx1UmhjjuyEmV8JEA==',
    707_406,
    'd611139672b3752c7097e671e4a1d9209dfd37f2aeb081ef6487fba3351e9255',
  ]),
  scan('de', 'German', [
    'deu',
    8_411_089,
    'sha512-3ter1p2gFAiCd5CMC+PodZ9YY2UDomkKj+ytlKeeZqOUmhLx1SDnYPf5zog0g5MBbxYveW+8omI3PUflqHfZ4Q==',
    1_333_102,
    '306c4280d0cbed46fbff727486bd43b92730181bae80f56941a091f363bdf28b',
  ]),
  scan('it', 'Italian', [
    'ita',
    8_567_364,
    'sha512-Sx19NVYve5VAxEBDL6CWTX+evlvzV+iAS5ejJywcHVsmir/C9Tzw2fExoh97QFc06t48tYZA8VrMobsBzMAEhA==',
    1_660_998,
    'f702fcfad297ce028ede3626d1467b67939f23ff23595f9badd54681cf25a4d3',
  ]),
  scan('es', 'Spanish', [
    'spa',
    10_436_372,
    'sha512-9Ln+QKq/TNu4Hy4aOp5b4nXo9U0C6IqJMzNDpAJZe/fNtz6jXG9G/hQgR/Irxj+RGf0M7Xy1MNx1yl4wQUIfeg==',
    2_100_190,
    '40be52f97b5d4eb7460073dc1f94cd546b27150333c0bf854ed7e7132db6bceb',
  ]),
  scan('pt', 'Portuguese', [
    'por',
    8_124_452,
    'sha512-sQ7GqYUgKaMmV0vNujYoXLlXUp2e5RGGkJxQ3L59kUOaupIugLJeb1dqhrfgyb71XQw7ltdSuXdQIoaoS/rpsQ==',
    1_392_239,
    'dacebc1386ddaaf8389f81094236cca0d690897cde693d48cbdaa881c86e2b4c',
  ]),
  scan('nl', 'Dutch', [
    'nld',
    13_178_605,
    'sha512-Fq9TDxewYAw3YBLqLYEu3rziNUHq0F1NnnM49vI0E5o6S2oKcirhTumGvv8ws088+li1llyKXT9nfrHuxxetHQ==',
    3_005_696,
    'a2d904b6ddc4feb0d31ecfcd7361a554102e7aa2e278c54f4fc029e0d0815571',
  ]),
  scan(
    'ja',
    'Japanese',
    [
      'jpn',
      18_107_568,
      'sha512-nUq2xHUjiWE6FRqkvLIIbByLZ39B8qNaBSOnVP4XIKGPKtZ1e0hiRnK7WhPfl8A+Fe7aNE1u/QoXXUym3TbSCA==',
      2_030_256,
      '2b63ebfbf1484de4a08ce53b29ef98a1c17658a93cbd38acb665d7d316d0be88',
    ],
    // Of columns: the other one asks for it by this name.
    [
      'jpn_vert',
      4_044_598,
      'sha512-xk3ZHTCFODXUH/QVVlOt9lAkis95muL+Fhqe4i6qWxySXuvUp3nDnG8TpzA63YI+RP//lXqbSCBizqvC2fJqoA==',
      2_022_755,
      '3a4f4df8df8f50f3389fe0da10502effced38faef763d8e540142bdc9b770308',
    ],
  ),
  scan('zh-Hans', 'Chinese (simplified)', [
    'chi_sim',
    21_809_859,
    'sha512-iuErURkPbECDUazgsLn/r3c+tU2y5o5S/w14d0A/YiagfsjYyZKgTo75RUpsGJ311qtu0dIX4hqnXAAjmqf2CA==',
    1_718_768,
    'b8a23f10c7de500891eb458a8adc9cc58ab7f242f08b7d149f5e9aea4ad5db7c',
  ]),
  scan('zh-Hant', 'Chinese (traditional)', [
    'chi_tra',
    28_664_956,
    'sha512-uz0gqF7ncrJS4UTHGCkPntZXpoyo+mIg0Zs8QhF0TH3uzj2HkJpYmi8u1Pdwt2NW65UWJ51hzILWWy838da5dw==',
    1_656_239,
    '11fe2610dab05d8a880d02f193ce70203f4c4bbe061b987d5529a2c038a22743',
  ]),
  scan('ko', 'Korean', [
    'kor',
    8_507_588,
    'sha512-tepYhsYiRJ8E44R27MHxVteEDDLfYQxuvM6u4JlEHcCYqwpefvI5TGzoMgB67kunOvtyEJYtT5zfJ/6R6FVU9w==',
    1_572_336,
    '78c21276ab14c9bb734d83be1055d9fe5469a4e7e977c51ad385be5737e61126',
  ]),
  scan('pl', 'Polish', [
    'pol',
    10_977_737,
    'sha512-e9naSi/5kIXIMsymriFMUXJ2XWxRY/09qU9pkmEN28nAeMyF70EYkn4G3iHoB2oF/HNhZpy8lCIe1/I2L/BqKA==',
    2_642_356,
    'a20fdec4ff99d8f8e84c708da3e42a4e935c26863055a0ed88aef5c66a59b91b',
  ]),
  scan('cs', 'Czech', [
    'ces',
    9_329_679,
    'sha512-mXnVy8WoG/ImbrpN5oggaBBMSrHQH+hKbgkbPQeVY6MChIDDZT1H+e2I4eiAvl+fypfIbiqpIcodGex03PXvfw==',
    2_225_029,
    '1ea33a8b6f9a9c18a6aae44a71eda06bbfdc206fe53cf1fc8121fb74def99166',
  ]),
  scan('uk', 'Ukrainian', [
    'ukr',
    7_287_250,
    'sha512-W/i5g9xbyBHJxklEb0mU2iLENBzU9CgXk1LVg82aQ95IaRwNFjY1z5y0vMcydEHQLx/TeawGrHiqlWoyXWCDzA==',
    2_114_206,
    'ea2789a0ad99ff84bfd252a7410a1e8661a7bc5acaa41573d23b54b71446aa4c',
  ]),
  scan('el', 'Greek', [
    'ell',
    4_744_428,
    'sha512-cCdWHcxHupC9YltWAoscqnw1QAIo4ENgaXNNVXfN+FBvSncnx3lgnNcyRdCvGSi31buwr7vPY156WHu2Yubg4A==',
    1_324_749,
    'e8a293abb398ec479176c1575aef24e2bacb0611c713f3fa996f97f0cd996fb3',
  ]),
  scan('tr', 'Turkish', [
    'tur',
    10_170_951,
    'sha512-510AUJda8BsgrTchfIIH1uV1wfYp28+PLy74sxSQiHM0sLv9kjbNyooxUCo/R4TOjLQY0fXQ2QWwozWlSlXrkw==',
    2_141_291,
    '384ba0dc28040451b7818d7d60e0a88df0d3003fa5a01d713a468779bc3d8c04',
  ]),
  scan('sv', 'Swedish', [
    'swe',
    8_821_162,
    'sha512-9BRWhTs8THTaBtFNvaTSZbL8gb14CH86TsdNjpDVBgm4kOS5RW8V6xfM91SEho4rlxyzAJPA909GRD1xsJbyJg==',
    2_503_095,
    'b60d9fea7e570d11d6fdf26c8d0ef1d63b49222313773ce66777ed08fa20dc5a',
  ]),
  scan('da', 'Danish', [
    'dan',
    6_580_275,
    'sha512-nlR/VS/YKJs8u0SSa3C+wUTIopPIKwVG016T4/Lk2BsUOME3EkXgHWyGbzfobd5+6dwA+FYaUB17GVgIo7Zphg==',
    1_845_116,
    '6af1a07c22894b728ebc75f0fd0c8519eca002cfab6da903eb4d62e24f163abc',
  ]),
  scan('no', 'Norwegian', [
    'nor',
    8_274_620,
    'sha512-UYIAl2T2g9Nha+uKQie4uE4zGN1a/sbs4sddsH3Ao54BguKyGbSBz4pBG/+zZY2Lnre3/z/z3d9RiVL6DVKvPw==',
    2_490_241,
    '6c5d91a5b684da387bfcf16b38bae8d94771812dc9ef706b413c728ca1d37c93',
  ]),
  scan('fi', 'Finnish', [
    'fin',
    12_821_769,
    'sha512-JLD9iF4Q3gqspuB5dphSZw7HT+EGZ6pKqoTUfDrUU9kYxGa2xkISa/3X/JpFZ6Lw8Lh6Ved0uVxUZhMuzoK9Dw==',
    3_795_323,
    '138c59f6a0bef68fd98d8baf565477f5cdb5198bfc4a68e558efd3b6a57acadd',
  ]),
  scan('ar', 'Arabic', [
    'ara',
    3_333_623,
    'sha512-bB60Av6dsv9LRUrlaM6SgnAwjUpdbanw9Jf3mbhDCZAhX7Cp8u7YjI8EWfCvMhH3R2QJT/2EA8cijqPANOhwaA==',
    1_661_906,
    'f4746c44b02342dd5b3d4f0198000f47d7c49f1a229e63e0f436c0592dcd9639',
  ]),
  scan('he', 'Hebrew', [
    'heb',
    2_748_563,
    'sha512-t70MeqlBqOsf+pINWgG32gaVsXG2LUiOFMMzeJLl+bDEjRK9nXUqF/xzl37xP2IdwZcOsd6BnQRbZDN/8AAWlA==',
    580_576,
    '9c70b524200dae77fb25e3567566eee600ccbcae9aeb89722990ccae0e84e805',
  ]),
  scan('hi', 'Hindi', [
    'hin',
    2_792_751,
    'sha512-MB6WY6g4SAtrs+Xuyz5JDDsLFCykCwIESV7M9KkyxF71bxBqhLa8e7GJi5yGa/Wl6V4nuC7LWX/EMdSyTINTvg==',
    1_389_692,
    'f3b6a0d320df38d886178cdd727b90dbf9df3db053adb32bd9cf73f0463cda07',
  ]),
];
