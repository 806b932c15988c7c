/**
 * The place of mqemitter in Aedes. The fan-out to clients is the hub's (bounded for each subscriber, without
 * recursion); what comes through here is only what Aedes says to itself, so this is a plain set of listeners.
 */
type Done = () => void;
type Notify = (packet: unknown, done: Done) => void;

export class QuietEmitter {
  readonly concurrency = 0;
  readonly current = 0;

  on(_topic: string, _notify: Notify, done?: Done): this {
    if (done) setImmediate(done);
    return this;
  }

  removeListener(_topic: string, _notify: Notify, done?: Done): this {
    if (done) setImmediate(done);
    return this;
  }

  emit(_packet: unknown, done?: Done): this {
    done?.();
    return this;
  }

  close(done: Done): this {
    setImmediate(done);
    return this;
  }
}
