/** True for an owner of addresses or names that is a container, by its full id; others are words: `weave:expose`. */
export function isContainer(owner: string): boolean {
  return /^[0-9a-f]{64}$/.test(owner);
}
