/**
 * A set of names of git objects, kept as their bytes: a history has millions, and as strings each would
 * take five times the room. Whole names are compared, so no two blobs are ever taken for one.
 */

const FIRST_SLOTS = 1024

export class BlobSet {
  #width = 0
  #slots = new Uint8Array(0)
  #used = new Uint8Array(0)
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Whether it was not there before. */
  add(id: string): boolean {
    const name = Buffer.from(id, 'hex')
    if (this.#width === 0) this.#grow(FIRST_SLOTS, name.length)
    // A repository has one kind of names.
    if (name.length !== this.#width) throw new RangeError('a name of another length')
    if ((this.#size + 1) * 4 > this.#used.length * 3) this.#grow(this.#used.length * 2, this.#width)
    const isNew = this.#put(name)
    if (isNew) this.#size++
    return isNew
  }

  has(id: string): boolean {
    if (this.#width === 0) return false
    const name = Buffer.from(id, 'hex')
    return this.#used[this.#slotOf(name)] === 1
  }

  #put(name: Uint8Array): boolean {
    const slot = this.#slotOf(name)
    if (this.#used[slot] === 1) return false
    this.#used[slot] = 1
    this.#slots.set(name, slot * this.#width)
    return true
  }

  /** Where it is, or where there is room for it. A name is a hash: its first bytes are as good as any. */
  #slotOf(name: Uint8Array): number {
    const mask = this.#used.length - 1
    let slot = (name[0]! | (name[1]! << 8) | (name[2]! << 16) | (name[3]! << 24)) & mask
    while (this.#used[slot] === 1 && !this.#isAt(slot, name)) slot = (slot + 1) & mask
    return slot
  }

  #isAt(slot: number, name: Uint8Array): boolean {
    const from = slot * this.#width
    for (let i = 0; i < this.#width; i++) if (this.#slots[from + i] !== name[i]) return false
    return true
  }

  #grow(slots: number, width: number): void {
    const [old, used] = [this.#slots, this.#used]
    this.#width = width
    this.#slots = new Uint8Array(slots * width)
    this.#used = new Uint8Array(slots)
    for (const [slot, taken] of used.entries()) {
      if (taken === 1) this.#put(old.subarray(slot * width, (slot + 1) * width))
    }
  }
}
