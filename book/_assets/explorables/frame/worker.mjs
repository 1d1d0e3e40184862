// Arithmetic that would hold up the page, beside it. Only the newest question is answered.
/* global LIVEGRAD_WORKER */
export class Background {
  #worker = null;
  #number = 0;
  #busy = false;
  #waiting = null;

  /** direct: the same arithmetic, for browsers that refuse the worker. answered: what to do with a report. */
  constructor(direct, answered) {
    this.direct = direct;
    this.answered = answered;
  }

  ask(settings) {
    this.#waiting = settings;
    if (!this.#busy) this.#send();
  }

  stop() {
    this.#worker?.terminate();
    this.#worker = null;
    this.#busy = false;
  }

  #start() {
    const address = URL.createObjectURL(new Blob([LIVEGRAD_WORKER], { type: "text/javascript" }));
    this.#worker = new Worker(address);
    URL.revokeObjectURL(address);
    this.#worker.onmessage = ({ data }) => {
      this.#busy = false;
      if (this.#waiting) this.#send();
      else this.answered(data.report);
    };
    this.#worker.onerror = () => { this.#worker = null; this.#busy = false; this.answered(this.direct(this.last)); };
  }

  #send() {
    this.last = this.#waiting;
    this.#waiting = null;
    this.#busy = true;
    try {
      if (!this.#worker) this.#start();
      this.#worker.postMessage({ number: ++this.#number, settings: this.last });
    } catch {
      this.#busy = false;
      this.answered(this.direct(this.last));
    }
  }
}
