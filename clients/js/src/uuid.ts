const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0')

let made = 0

/**
 * A UUIDv7. Ids of one page sort in the order of their making: the 12 bits after the
 * milliseconds count.
 */
export const uuid = () => {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2))

  return (hex(Date.now(), 12) + 7 + hex(made++ & 4095, 3) + hex((high >>> 2) + 2 ** 31, 8) + hex(low, 8))
    .replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
