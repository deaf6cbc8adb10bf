// The bytes that tests in C and in js both make from a seed (xorshift32): tests/kit/content.c does the same.
export function content (seed, length) {
  const bytes = new Uint8Array(length)
  let x = (seed * 2654435761) >>> 0 || 1
  for (let i = 0; i < length; i++) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    bytes[i] = x
  }
  return bytes
}
