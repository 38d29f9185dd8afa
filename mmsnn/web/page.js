// Sends the chosen file, shows the result, and requests its pictures again when a
// slider or list changes. All numbers and pictures come from the server.
'use strict';

const model = document.getElementById('model');
const drop = document.getElementById('drop');
const file = document.getElementById('file');
const about = document.getElementById('about');
const result = document.getElementById('result');
const message = document.getElementById('message');
let latest = 0;

function tell(text) {
  message.textContent = text;
  message.hidden = !text;
}

async function request(url, options) {
  let answer;
  try {
    answer = await fetch(url, options);
  } catch {
    throw new Error('The server does not answer. Is `mmsnn serve` still running?');
  }
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text;
}

async function showModel() {
  about.replaceChildren();
  result.replaceChildren();
  tell('');
  latest += 1;
  const turn = latest;
  try {
    const html = await request(`models/${model.value}`);
    if (turn === latest) {
      about.innerHTML = html;
      const told = about.querySelector('[data-ask]').dataset;
      document.getElementById('ask').textContent = told.ask;
      document.getElementById('limits').textContent = told.limits;
      file.accept = told.accept;
    }
  } catch (error) {
    if (turn === latest) tell(error.message);
  }
}

async function analyse(query, body) {
  latest += 1;
  const turn = latest;
  tell('');
  document.body.classList.add('busy');
  try {
    const url = `results?model=${model.value}${query}`;
    const html = await request(url, { method: 'POST', body });
    if (turn !== latest) return;
    result.innerHTML = html;
    result.querySelectorAll('section').forEach((section) => refresh(section));
  } catch (error) {
    if (turn !== latest) return;
    result.replaceChildren();
    tell(error.message);
  } finally {
    if (turn === latest) document.body.classList.remove('busy');
  }
}

// Loads the pictures of a section that depend on the control `name`, by default all.
function refresh(section, name) {
  const query = choices(section);
  section.querySelectorAll('img[data-src]').forEach((img) => {
    if (name && !paramsOf(img).includes(name)) return;
    if (img.closest('details:not([open])')) {
      img.dataset.stale = 'yes';
      return;
    }
    load(img, query);
  });
  filterBoxes(section, Number(query.get('score')));
}

// Returns the choices in a section, and shows them beside the sliders.
function choices(section) {
  const query = new URLSearchParams();
  section.querySelectorAll('[name]').forEach((control) => {
    query.set(control.name, control.value);
    const output = control.parentElement.querySelector('output');
    if (output) output.textContent = control.value;
  });
  return query;
}

function paramsOf(img) {
  return img.dataset.params.split(' ').filter(Boolean);
}

function load(img, query) {
  const chosen = new URLSearchParams();
  paramsOf(img).forEach((param) => {
    const [name, value] = param.split('=');
    chosen.set(name, value ?? query.get(name));
  });
  const figure = img.closest('figure');
  delete img.dataset.stale;
  figure.classList.add('loading');
  img.onload = () => {
    // the pictures have 150 pixels per inch, CSS has 96
    img.width = img.naturalWidth * 96 / 150;
    figure.classList.remove('loading', 'failed');
  };
  img.onerror = async () => {
    figure.classList.add('failed');
    figure.classList.remove('loading');
    const answer = await fetch(img.src).catch(() => null);
    tell(answer && !answer.ok ? await answer.text() : 'A picture could not be loaded.');
  };
  img.src = `${img.dataset.src}?${chosen}`;
  figure.querySelector('.download').href = img.src;
}

function filterBoxes(section, least) {
  const table = section.querySelector('#box-table');
  if (!table) return;
  const scores = table.dataset.scores.split(' ').filter(Boolean).map(Number);
  const rows = table.querySelectorAll('tbody tr');
  scores.forEach((score, i) => { rows[i].hidden = score < least; });
  section.querySelector('#count').textContent = scores.filter((s) => s >= least).length;
}

model.addEventListener('change', showModel);
file.addEventListener('change', () => {
  if (file.files.length) analyse('', file.files[0]);
  file.value = '';
});
about.addEventListener('click', (event) => {
  const button = event.target.closest('[data-sample]');
  if (button) analyse(`&sample=${button.dataset.sample}`);
});
result.addEventListener('input', (event) => {
  const section = event.target.closest('section');
  if (section && event.target.name) refresh(section, event.target.name);
});
result.addEventListener('toggle', (event) => {
  const section = event.target.closest('section');
  if (!section || !event.target.open) return;
  const query = choices(section);
  event.target.querySelectorAll('img[data-stale]').forEach((img) => load(img, query));
}, true);
for (const name of ['dragover', 'dragleave', 'drop']) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle('over', name === 'dragover');
    if (name === 'drop' && event.dataTransfer.files.length) {
      analyse('', event.dataTransfer.files[0]);
    }
  });
}
drop.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' || event.key === ' ') file.click();
});
showModel();
