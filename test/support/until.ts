/** Polls until `probe` is true; the only wait that tests use. @throws after `ms` with `what` in the text */
export async function until(
  what: string,
  probe: () => Promise<boolean> | boolean,
  ms = 120_000,
): Promise<void> {
  const end = Date.now() + ms;
  while (!(await probe())) {
    if (Date.now() > end) throw new Error(`timed out after ${ms} ms waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
