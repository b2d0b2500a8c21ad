let latest = 0

/** A UUIDv7. Those of one page sort in the order of their making: no two have the same time. */
export const uuid = () => {
  latest = Math.max(latest + 1, Date.now())
  const random = (crypto.getRandomValues(new BigUint64Array(1))[0] >> 2n) | (1n << 63n)

  return `0${latest.toString(16)}-7000-${random.toString(16)}`.replace(/.{4}-7000-.{4}/, '-$&-')
}
