// The arithmetic of signal-propagation, beside the page.
import { report } from "../math/signal.mjs";

onmessage = ({ data: { number, settings } }) => postMessage({ number, report: report(settings) });
