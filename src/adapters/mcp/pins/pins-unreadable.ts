/** Thrown for a file of pins that cannot be read or is damaged: no tool that it is to vouch for may be called. */
export class PinsUnreadable extends TypeError {
  override readonly name = 'PinsUnreadable'
}
