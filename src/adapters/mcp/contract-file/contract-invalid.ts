/** One thing that is wrong with a contract file. */
export interface ContractProblem {
  /** Where, as a JSON pointer; `''` is the whole file. */
  readonly pointer: string
  /** The line, counted from 1, where it is known. */
  readonly line: number | undefined
  readonly message: string
}

/** Thrown for a contract file that cannot be used; nothing of it is. */
export class ContractInvalid extends TypeError {
  override readonly name = 'ContractInvalid'
  /** Everything that is wrong, in the order of the file. */
  readonly problems: readonly ContractProblem[]

  constructor(problems: readonly ContractProblem[], options?: ErrorOptions) {
    super(problems.map(lineFor).join('\n'), options)
    this.problems = Object.freeze([...problems])
  }
}

function lineFor({ pointer, line, message }: ContractProblem): string {
  const where = line === undefined ? '' : ` (line ${line})`
  return `${pointer === '' ? 'the file' : pointer}${where}: ${message}`
}
