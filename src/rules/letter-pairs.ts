/**
 * How usual each pair of letters is in words of English and in names of programs, against chance:
 * the base-2 logarithm of the ratio, in steps of 0.94 from -5 (never) to +3.5. Counted over the words of
 * type declarations and documentation, the root of each count. Rows are first letters, columns
 * second ones, a to z.
 *
 * The sum over a value says how much it reads like words: for random letters it falls with
 * every pair, for words it grows, so that length sharpens the verdict by itself.
 */
const PAIRS = [
  '37771461624878161879554453',
  '62316000640711520552600040',
  '71528007606630830648600140',
  '63248321710423620562520130',
  '74896662433779465997364751',
  '60226600700512600544500040',
  '41107145600435500543510020',
  '70107000601231600535400020',
  '65777660103779861688160406',
  '30005000200000300052203000',
  '30126200500123210051201010',
  '73258321802721730266632070',
  '85038010701351670152500030',
  '72788582724435740389551040',
  '45673550534779670966756321',
  '71228114602721760757510030',
  '00000000000300000100600000',
  '84569451805566830677652060',
  '62638426704533763379723350',
  '81549327900532740876603260',
  '55546440500767260767200100',
  '60008010600000400110100000',
  '50015004501204500542002000',
  '30404201400101160005000210',
  '31213100300334360143002011',
  '30005000300100400020100012',
]
const STEP = 8.5 / 9
const LOWEST = -5

const ratios = Float32Array.from(PAIRS.join(''), (digit) => Number(digit) * STEP + LOWEST)

/** Above zero it reads like words; below, like chance. Zero: there are no two letters together. */
export function readability(value: string): number {
  let sum = 0
  let before = -1
  for (let i = 0; i < value.length; i++) {
    const letter = (value.charCodeAt(i) | 32) - 97
    const is = letter >= 0 && letter < 26
    if (is && before >= 0) sum += ratios[before * 26 + letter]!
    before = is ? letter : -1
  }
  return sum
}
