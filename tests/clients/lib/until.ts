// Waiting for what a server sends by itself.

/** Fails with words instead of hanging when nothing comes. The deadline is far beyond what a healthy server takes. */
export async function within<Value>(promise: Promise<Value>, what: string, seconds = 20): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${seconds} s`)), seconds * 1_000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
