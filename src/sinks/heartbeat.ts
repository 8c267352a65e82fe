/** What has to be heard of from time to time. */
export interface Beating {
  readonly beatMs: number
  /** MUST NOT throw. */
  beat(): void
}

interface Pulse {
  readonly members: Set<Beating>
  readonly timer: ReturnType<typeof setInterval>
}

/** One timer for everything of one period: in practice, one. */
const pulses = new Map<number, Pulse>()

/** Has `member` beat from now on. The timer keeps no process alive. */
export function startBeating(member: Beating): void {
  const { beatMs } = member
  let pulse = pulses.get(beatMs)
  if (pulse === undefined) {
    const members = new Set<Beating>()
    const timer = setInterval(() => {
      for (const each of members) each.beat()
    }, beatMs)
    timer.unref?.()
    pulse = { members, timer }
    pulses.set(beatMs, pulse)
  }
  pulse.members.add(member)
}

export function stopBeating(member: Beating): void {
  const pulse = pulses.get(member.beatMs)
  if (pulse === undefined || !pulse.members.delete(member) || pulse.members.size > 0) return
  clearInterval(pulse.timer)
  pulses.delete(member.beatMs)
}
