import { NotJson } from './lexer.js'

const IS_FLOAT = /[.eE]/

/**
 * A number as Python's `json` prints what it read: an integer of any size digit by digit, a float as its `repr`.
 *
 * @param lexeme the number as it stands in the JSON text: `1.0` is a float, `1` is none.
 * @throws {@link NotJson} for a float beyond the range of a double.
 */
export function pythonNumber(lexeme: string): string {
  if (!IS_FLOAT.test(lexeme)) return lexeme === '-0' ? '0' : lexeme
  const value = Number(lexeme)
  if (!Number.isFinite(value)) throw new NotJson('a number beyond the range of a double')
  return pythonFloat(value)
}

/**
 * `repr` of a finite double: the fewest digits that read back as the same value.
 *
 * Both languages find the same digits; they differ in when they use an exponent and in how they print it.
 */
export function pythonFloat(value: number): string {
  const sign = value < 0 || Object.is(value, -0) ? '-' : ''
  const [mantissa = '', power = ''] = Math.abs(value).toExponential().split('e')
  const digits = mantissa.replace('.', '')
  const exponent = Number(power)
  if (exponent < -4 || exponent >= 16) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : ''
    const size = String(Math.abs(exponent)).padStart(2, '0')
    return `${sign}${digits[0]}${fraction}e${exponent < 0 ? '-' : '+'}${size}`
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`
}
