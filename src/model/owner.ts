/** True for an owner that is a container (a full id); others are words: `weave:expose`. */
export function isContainer(owner: string): boolean {
  return /^[0-9a-f]{64}$/.test(owner);
}
