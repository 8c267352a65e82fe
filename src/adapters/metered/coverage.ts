/**
 * How the requests of a client are governed. `metered`: held before, charged after, cut at a limit. `free`:
 * the provider charges nothing for it, so it passes while its session is open. `unmetered`: refused, unless
 * the adapter is told to let it pass. `outside`: never seen, or none of the adapter's business.
 */
export type Governance = 'metered' | 'free' | 'unmetered' | 'outside'

/** One line of what an adapter covers. */
export interface CoveredEndpoint {
  readonly method: 'POST' | 'GET' | 'DELETE' | 'WebSocket' | 'any other'
  /** The end of the path; `*` is one segment, `**` anything. */
  readonly path: string
  readonly governance: Governance
}

type Line = readonly [
  method: CoveredEndpoint['method'],
  path: CoveredEndpoint['path'],
  governance: CoveredEndpoint['governance'],
]

/** The table of what an adapter covers, as data. */
export function covered(lines: readonly Line[]): readonly CoveredEndpoint[] {
  return Object.freeze(lines.map(([method, path, governance]) => Object.freeze({ method, path, governance })))
}

/**
 * Looks up how a request is governed, by its method and the path of its URL: the first line that fits decides,
 * and what fits none is unmetered.
 */
export function lookup(endpoints: readonly CoveredEndpoint[]): (method: string, path: string) => Governance {
  const patterns = endpoints.map(({ path }) => {
    const pattern = path.replace('/**', '').replaceAll('*', '[^/]+')
    return new RegExp(`${pattern}/?$`)
  })
  return (method, path) => {
    const found = endpoints.find(
      (line, index) =>
        (line.method === method || line.method === 'any other') && patterns[index]?.test(path) === true,
    )
    return found?.governance ?? 'unmetered'
  }
}
