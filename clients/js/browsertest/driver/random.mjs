// Random numbers that a seed repeats: xorshift32.
export class Random {
  #state

  constructor(seed) {
    this.#state = (seed * 2654435761) >>> 0 || 1
  }

  // Returns a whole number from 0 to n - 1.
  below(n) {
    this.#state ^= this.#state << 13
    this.#state ^= this.#state >>> 17
    this.#state ^= this.#state << 5
    this.#state >>>= 0
    return this.#state % n
  }

  shuffle(list) {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      ;[list[i], list[j]] = [list[j], list[i]]
    }
    return list
  }
}
