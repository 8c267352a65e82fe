import { SigningKey } from '../audit/note/signing-key.js'
import { quote } from '../core/json-text.js'
import { readArguments } from './arguments.js'
import { type CliIo, EXIT, FileNotMade, UsageError } from './cli-io.js'
import { safeText, shellWord } from './safe-text.js'

const KEYGEN_HELP: string = `Usage: writ keygen <file> --name NAME

Makes a key to sign checkpoints with: the private key goes into <file>, readable by its owner alone, and the
key that verifies into <file>.pub. Neither is overwritten.

Options:
  --name NAME  what the key, and by default the log, is called: example.com/audit
  -h, --help   this text

Exit status:
  0   both files were made
  64  the command line is wrong
  70  an error in this program
  73  a file cannot be made
  74  the output cannot be written
`

/** `writ keygen`: a key to sign checkpoints with. */
export async function keygen(args: readonly string[], io: CliIo): Promise<number> {
  const given = readArguments(args, { name: 'value' })
  if (given.switches.has('help')) {
    await io.stdout.write(KEYGEN_HELP)
    return EXIT.ok
  }
  const [file, second] = given.positionals
  if (file === undefined || file === '') throw new UsageError('where to? Name a file for the private key.')
  if (second !== undefined) throw new UsageError(`one key at a time; ${quote(second)} is one too many.`)
  const [name] = given.values.get('name') ?? []
  if (name === undefined) throw new UsageError('what is the key called? Say --name example.com/audit.')
  const key = generate(name)
  // Looked at first: a private key that was made before its counterpart turned out to be in the way would stay behind.
  if (io.readEnd(`${file}.pub`, 0) !== undefined) {
    throw new FileNotMade(`${file}.pub: there is something of that name, and nothing is overwritten`)
  }
  io.makeFile(file, `${key.encode()}\n`, true)
  io.makeFile(`${file}.pub`, `${key.verifierKey}\n`)
  const shown = safeText(file)
  await io.stdout.write(`${key.verifierKey}

  ${shown} signs. Keep it where the agent can read it and nobody else can, and never in a repository.
  ${shown}.pub verifies; it is the line above. Give it to whoever checks the log, on another way than the log:
    writ verify audit.jsonl --key ${shellWord(`${file}.pub`)}
`)
  return EXIT.ok
}

function generate(name: string): SigningKey {
  try {
    return SigningKey.generate(name)
  } catch (cause) {
    if (cause instanceof TypeError) throw new UsageError(`--name: ${cause.message}.`, { cause })
    throw cause
  }
}
