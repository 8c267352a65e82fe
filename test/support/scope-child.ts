import { ScopeKeys } from 'writ'

/** Asks a folder of keys for the keys of these users as soon as it is told to, and prints their ids. */
const [folder = '', ...users] = process.argv.slice(2)
const keys = ScopeKeys.folder(folder)
process.stdout.write('ready\n')
process.stdin.once('data', () => {
  process.stdout.write(`${users.map((user) => keys.keyFor(user).id).join(' ')}\n`)
  process.exit(0)
})
