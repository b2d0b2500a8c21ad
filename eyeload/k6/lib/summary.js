// The result of a run: as text for a terminal, as JSON for programs, and as one self-contained
// HTML page. k6's page "Custom summary" describes `data`.

import { config } from './config.js';
import { summaryTrendStats } from './options.js';

// The order in which the values of a metric are shown: the value of a gauge, the values of trends
// in the order of the options, then those of counters and rates. k6 passes them in random order.
const order = ['value', ...summaryTrendStats, 'rate', 'passes', 'fails'];

// summary makes a script's handleSummary.
export function summary(script) {
  return (data) => {
    const report = digest(script, data);
    const out = { stdout: asText(report) };
    if (config.summaryDir !== '') {
      out[`${config.summaryDir}/${script}.json`] = `${JSON.stringify(report, null, 2)}\n`;
      out[`${config.summaryDir}/${script}.html`] = asHTML(report);
    }
    return out;
  };
}

// digest selects the data for the summary. Setup data is left out.
function digest(script, data) {
  const told = data.metrics === undefined ? machineReadable(data) : classic(data);
  const thresholds = [];
  for (const [metric, { values, thresholds: bounds }] of Object.entries(told.metrics)) {
    for (const [threshold, { ok }] of Object.entries(bounds || {})) {
      thresholds.push({ metric, threshold, passed: ok, value: measured(threshold, values) });
    }
  }
  thresholds.sort((a, b) => byText(a.metric, b.metric) || byText(a.threshold, b.threshold));

  const metrics = {};
  for (const name of Object.keys(told.metrics).sort()) {
    const { type, contains, values } = told.metrics[name];
    metrics[name] = { type, contains, values: sorted(values) };
  }

  const checks = told.checks
    .map(({ name, passes, fails }) => ({ name, passes, fails }))
    .sort((a, b) => byText(a.name, b.name));
  const passed = told.passed === undefined ? thresholds.every((t) => t.passed) : told.passed;
  return { script, url: config.url, passed, duration_ms: told.duration, thresholds, checks, metrics };
}

function byText(a, b) {
  if (a === b) {
    return 0;
  }
  return a < b ? -1 : 1;
}

// sorted sorts the values of a metric; values that the order does not name come last.
function sorted(values) {
  const place = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  const names = Object.keys(values).sort((a, b) => place(a) - place(b) || byText(a, b));
  return Object.fromEntries(names.map((name) => [name, values[name]]));
}

function classic(data) {
  return { metrics: data.metrics, checks: checksOf(data.root_group), duration: data.state && data.state.testRunDurationMs };
}

function checksOf(group) {
  const { checks = [], groups = [] } = group || {};
  return checks.concat(...groups.map(checksOf));
}

// machineReadable reads the form of k6 1.5 and newer when K6_NEW_MACHINE_READABLE_SUMMARY is
// set. It says whether the run passed, but not the result of each threshold.
function machineReadable({ config: run, results }) {
  const metrics = {};
  for (const metric of results.metrics) {
    metrics[metric.name] = metric;
  }
  const { results: listed, orderedChecks } = results.checks || {};
  return { metrics, checks: listed || orderedChecks || [], duration: run.duration * 1000, passed: results.passed };
}

// measured returns the value that a threshold bounds: `p(99)` for `p(99)<500`.
function measured(threshold, values) {
  const method = /^\s*(\w+(?:\([\d.]+\))?)/.exec(threshold);
  const value = method === null ? undefined : (values || {})[method[1]];
  return value === undefined ? null : value;
}

// shown formats a number with five digits: a rate of 0.9998 must not be shown as 1.00.
function shown(value) {
  if (typeof value !== 'number') {
    return 'none';
  }
  return String(Math.abs(value) >= 10000 ? Math.round(value) : Number(value.toPrecision(5)));
}

function line(values) {
  return Object.entries(values).map(([name, value]) => `${name}=${shown(value)}`).join(' ');
}

function asText(report) {
  const lines = ['', `${report.script}: ${report.passed ? 'passed' : 'FAILED'} in ${shown(report.duration_ms / 1000)} s`, ''];
  for (const t of report.thresholds) {
    lines.push(`  ${t.passed ? 'passed' : 'FAILED'}  ${t.metric}  ${t.threshold}  (${shown(t.value)})`);
  }
  lines.push('');
  for (const c of report.checks) {
    lines.push(`  ${c.fails === 0 ? 'passed' : 'FAILED'}  ${c.name}  (${c.passes} of ${c.passes + c.fails})`);
  }
  lines.push('');
  for (const [name, { values }] of Object.entries(report.metrics)) {
    lines.push(`  ${name}: ${line(values)}`);
  }
  return `${lines.join('\n')}\n\n`;
}

const style = `
  :root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
  body { margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
  table { border-collapse: collapse; width: 100%; }
  th, td { border-bottom: 1px solid #8885; padding: .3rem .6rem; text-align: left; vertical-align: top; }
  .passed { color: #2a8a3e; } .failed { color: #d1242f; font-weight: bold; }
  code { font-family: ui-monospace, monospace; }`;

function escaped(text) {
  const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return String(text).replace(/[&<>"']/g, (character) => entities[character]);
}

function verdict(passed) {
  return passed ? '<td class="passed">passed</td>' : '<td class="failed">failed</td>';
}

function table(head, rows) {
  const cells = head.map((title) => `<th scope="col">${title}</th>`).join('');
  return `<table>\n<thead><tr>${cells}</tr></thead>\n<tbody>\n${rows.map((row) => `<tr>${row}</tr>`).join('\n')}\n</tbody>\n</table>`;
}

function code(text) {
  return `<td><code>${escaped(text)}</code></td>`;
}

function asHTML(report) {
  const thresholds = report.thresholds.map((t) => verdict(t.passed) + code(t.metric) + code(t.threshold) + code(shown(t.value)));
  const checks = report.checks.map((c) => verdict(c.fails === 0) + `<td>${escaped(c.name)}</td>` + code(c.passes) + code(c.fails));
  const metrics = Object.entries(report.metrics).map(([name, { type, values }]) => code(name) + code(type) + code(line(values)));
  const result = report.passed ? '<span class="passed">passed</span>' : '<span class="failed">failed</span>';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The Eye under load: ${escaped(report.script)}</title>
<style>${style}
</style>
</head>
<body>
<h1>${escaped(report.script)}: ${result}</h1>
<p>Against ${escaped(report.url)} for ${shown(report.duration_ms / 1000)} s.</p>
<h2>Thresholds</h2>
${table(['', 'Metric', 'Threshold', 'Measured'], thresholds)}
<h2>Checks</h2>
${table(['', 'Check', 'Passes', 'Fails'], checks)}
<h2>Metrics</h2>
<p>Times are in milliseconds.</p>
${table(['Metric', 'Type', 'Values'], metrics)}
</body>
</html>
`;
}
