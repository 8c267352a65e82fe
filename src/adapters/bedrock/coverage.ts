/**
 * How the commands of a Bedrock client are governed. `metered`: held before, charged after, cut at a limit.
 * `free`: AWS charges nothing for it, so it passes while its session is open. `unmetered`: refused, unless
 * the adapter is told to let it pass.
 */
export type Governance = 'metered' | 'free' | 'unmetered'

/** One line of {@link COVERAGE}. */
export interface CoveredCommand {
  readonly command: string
  readonly governance: Governance
}

/**
 * What `governed` enforces and what it does not, as the adapter itself looks it up: the first line that fits
 * decides.
 */
export const COVERAGE: readonly CoveredCommand[] = Object.freeze(
  (
    [
      ['ConverseCommand', 'metered'],
      ['ConverseStreamCommand', 'metered'],
      ['CountTokensCommand', 'free'],
      ['GetAsyncInvokeCommand', 'free'],
      ['ListAsyncInvokesCommand', 'free'],
      ['InvokeModelCommand', 'unmetered'],
      ['InvokeModelWithResponseStreamCommand', 'unmetered'],
      ['InvokeModelWithBidirectionalStreamCommand', 'unmetered'],
      ['StartAsyncInvokeCommand', 'unmetered'],
      ['ApplyGuardrailCommand', 'unmetered'],
      ['InvokeGuardrailChecksCommand', 'unmetered'],
      ['any other', 'unmetered'],
    ] as const
  ).map(([command, governance]) => Object.freeze({ command, governance })),
)

/** How a command is governed, by the name that the client gives it. */
export function governanceOf(command: string): Governance {
  return COVERAGE.find((line) => line.command === command)?.governance ?? 'unmetered'
}
