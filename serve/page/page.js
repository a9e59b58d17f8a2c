const $ = id => document.getElementById(id)
const grid = $('grid'), room = $('room')
const pageSize = 120, mostLike = 1000 // hits of a request; of a picture that was dropped in, whose request is not repeated

// What is shown: hits by their number, some of which have not come yet, and where they are.
// Of duplicates each group begins a row, so that cells[c] is a number, or -1 for none.
let show = { hits: [], total: 0, groups: null, cells: null, cellOf: null, ask: null, why: null, pages: new Map() }
let here = 0 // the number of the hit that the keyboard is at
let like = '' // the key of a photograph that others are to be like
let picture = null // base64 of a file that was dropped in
let pending = null // AbortController of the search under way
const tiles = new Map()

// Requests.

async function ask(address, options = {}) {
  const key = sessionStorage.getItem('key')
  const answer = await fetch(address, { ...options, headers: { ...options.headers, ...(key && { Authorization: 'Bearer ' + key }) } })
  if (answer.status === 401) {
    if (!$('lock').open) $('lock').showModal()
    throw new Error('The server wants a key.')
  }
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({}))
    throw new Error(said.error || `The server answers ${answer.status}.`)
  }
  return answer
}

const post = (address, body, signal) =>
  ask(address, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), signal })

// place shows an address in an image, with the key where there is one: the address alone
// cannot carry it.
async function place(img, address, signal) {
  if (!sessionStorage.getItem('key')) {
    img.src = address
    return
  }
  try {
    reveal(img, await (await ask(address, { signal })).blob())
  } catch (e) {
    if (e.name !== 'AbortError') img.dispatchEvent(new Event('error'))
  }
}

function reveal(img, picture) {
  const blob = URL.createObjectURL(picture)
  img.onload = () => URL.revokeObjectURL(blob)
  img.src = blob
}

const thumb = h => '/api/thumb?' + new URLSearchParams(h.sha256 ? { sha256: h.sha256 } : { key: h.key })

function filters() {
  const q = new URLSearchParams()
  for (const id of ['after', 'before', 'path']) if ($(id).value.trim()) q.set(id, $(id).value.trim())
  return q
}

// search asks anew for what the form says. The last request is given up.
async function search() {
  pending?.abort()
  const mine = pending = new AbortController()
  const words = $('words').value.trim(), q = filters(), twins = $('twins').getAttribute('aria-pressed') === 'true'
  const state = new URLSearchParams(q)
  if (words) state.set('q', words)
  if (like) state.set('like', like)
  if (twins) state.set('duplicates', '1')
  if ($('min').value && (words || like || picture)) state.set('min', $('min').value)
  history.replaceState(null, '', '#' + state)
  grid.setAttribute('aria-busy', 'true')
  try {
    if (twins) {
      say('Looking for duplicates…')
      const { groups } = await (await ask('/api/duplicates?' + q, { signal: mine.signal })).json()
      const hits = groups.flatMap((g, n) => g.map((h, i) => ({ ...h, badge: i ? h.likeness : 'keep', group: n })))
      fill({ hits, total: hits.length, groups: groups.length, ask: null, why: null, pages: new Map() })
      say(groups.length ? `${count(groups.length, 'group')} of duplicates, ${count(hits.length - groups.length, 'photograph')} besides those to keep` : 'No duplicates')
    } else {
      const from = offset => {
        const k = picture ? mostLike : pageSize
        if (!picture) return ask('/api/search?' + new URLSearchParams([...state, ['k', k], ['offset', offset]]), { signal: mine.signal })
        const body = { ...shown, k, path: q.getAll('path'), after: q.get('after') || '', before: q.get('before') || '' }
        if (state.has('min')) body.min = Number(state.get('min'))
        return post('/api/search', body, mine.signal)
      }
      // With a picture what is looked for goes in the body.
      const shown = picture && { image: picture.data, ...(words && { text: words }) }
      const wanted = new URLSearchParams({ ...(words && { q: words }), ...(like && { like }) })
      const why = !(words || like || picture) ? null : (key, signal) => shown ? post('/api/explain', { ...shown, key }, signal)
        : ask('/api/explain?' + new URLSearchParams([...wanted, ['key', key]]), { signal })
      const got = await (await from(0)).json()
      const total = picture ? got.hits.length : got.total
      const hits = new Array(total)
      got.hits.forEach((h, i) => { hits[i] = h })
      fill({ hits, total, groups: null, ask: from, why, pages: new Map([[0, true]]) })
      say(total ? count(total, 'photograph') + (words || like || picture ? ', the nearest first' : ', the newest first') : 'No photographs')
    }
  } catch (e) {
    if (e.name === 'AbortError') return
    say(e.message, true)
  }
  if (mine === pending) grid.removeAttribute('aria-busy')
}

// more asks for the hits of a number's page.
async function more(i) {
  const now = show, n = Math.floor(i / pageSize)
  if (!now.ask || now.pages.has(n)) return
  now.pages.set(n, true)
  try {
    const got = await (await now.ask(n * pageSize)).json()
    got.hits.forEach((h, j) => { now.hits[n * pageSize + j] = h })
    if (now === show) draw()
  } catch (e) {
    now.pages.delete(n)
    if (e.name !== 'AbortError') say(e.message, true)
  }
}

const count = (n, what) => `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`

function say(text, wrong = false) {
  $('status').textContent = text
  $('status').classList.toggle('wrong', wrong)
}

// The grid: only tiles that are seen, and a few rows around them, are there.

let columns = 1, side = 180

function fill(next) {
  show = next
  here = 0
  for (const i of [...tiles.keys()]) drop(i)
  grid.hidden = show.total === 0
  grid.scrollTop = 0
  layOut()
}

function layOut() {
  const width = grid.clientWidth
  if (!width) return
  columns = Math.max(2, Math.floor(width / 190))
  side = width / columns
  show.cells = show.cellOf = null
  if (show.groups !== null) {
    show.cells = []
    show.cellOf = show.hits.map((h, i) => {
      if (i && h.group !== show.hits[i - 1].group) while (show.cells.length % columns) show.cells.push(-1)
      return show.cells.push(i) - 1
    })
  }
  room.style.height = Math.ceil(cellCount() / columns) * side + 'px'
  for (const i of [...tiles.keys()]) drop(i)
  draw()
}

const cellCount = () => show.cells ? show.cells.length : show.total
const cellOf = i => show.cellOf ? show.cellOf[i] : i
const at = cell => show.cells ? show.cells[cell] : cell

function drop(i) {
  tiles.get(i).load.abort()
  tiles.get(i).remove()
  tiles.delete(i)
}

function draw() {
  const top = Math.floor(grid.scrollTop / side) - 2, bottom = Math.ceil((grid.scrollTop + grid.clientHeight) / side) + 2
  const wanted = new Set([here])
  for (let c = Math.max(0, top * columns); c < Math.min(cellCount(), bottom * columns); c++) if (at(c) >= 0) wanted.add(at(c))
  for (const i of [...tiles.keys()]) if (!wanted.has(i) || !tiles.get(i).full && show.hits[i]) drop(i)
  for (const i of [...wanted].sort((a, b) => a - b)) {
    if (i >= show.total) continue
    if (!show.hits[i]) rest(i)
    if (!tiles.has(i)) tiles.set(i, room.appendChild(tile(i)))
    tiles.get(i).classList.toggle('here', i === here)
    tiles.get(i).setAttribute('aria-selected', i === here)
  }
  if (tiles.has(here)) grid.setAttribute('aria-activedescendant', tiles.get(here).id)
  else grid.removeAttribute('aria-activedescendant')
}

// rest waits until the scrolling does, so that what is passed over is not asked for.
let resting = 0
function rest() {
  clearTimeout(resting)
  resting = setTimeout(() => { for (const i of tiles.keys()) if (!show.hits[i]) more(i) }, 60)
}

function tile(i) {
  const h = show.hits[i], t = document.createElement('div'), frame = document.createElement('div'), cell = cellOf(i)
  t.className = 'tile'
  t.id = 'tile' + i
  t.full = !!h
  t.load = new AbortController()
  t.setAttribute('role', 'option')
  t.setAttribute('aria-setsize', show.total)
  t.setAttribute('aria-posinset', i + 1)
  t.setAttribute('aria-label', h ? name(h) + (h.badge ? ', ' + h.badge : '') : 'Not loaded yet')
  Object.assign(t.style, { width: side + 'px', height: side + 'px', left: cell % columns * side + 'px', top: Math.floor(cell / columns) * side + 'px' })
  frame.className = 'frame'
  t.append(frame)
  if (!h) return t
  const img = new Image()
  img.alt = ''
  img.decoding = 'async'
  img.onerror = () => img.replaceWith(text('label', h.key))
  place(img, thumb(h), t.load.signal)
  frame.append(img)
  if (h.badge) frame.append(text(h.badge === 'keep' ? 'badge keep' : 'badge', h.badge))
  t.onclick = () => { go(i); open() }
  return t
}

function text(kind, words) {
  const e = document.createElement('span')
  e.className = kind
  e.textContent = words
  return e
}

const name = h => h.caption || h.key

// go moves to a hit, and makes sure that it is seen.
function go(i) {
  here = Math.max(0, Math.min(show.total - 1, i))
  const top = Math.floor(cellOf(here) / columns) * side
  if (top < grid.scrollTop) grid.scrollTop = top
  else if (top + side > grid.scrollTop + grid.clientHeight) grid.scrollTop = top + side - grid.clientHeight
  draw()
}

// vertical is the hit some rows below or above.
function vertical(rows) {
  let c = Math.max(0, Math.min(cellCount() - 1, cellOf(here) + rows * columns))
  while (c > 0 && at(c) < 0) c--
  return at(c)
}

grid.onkeydown = e => {
  if (e.ctrlKey || e.altKey || e.metaKey) return
  const rows = Math.max(1, Math.floor(grid.clientHeight / side))
  if (e.key === 'ArrowUp' && cellOf(here) < columns) $('words').focus()
  else if (e.key === 'ArrowLeft') go(here - 1)
  else if (e.key === 'ArrowRight') go(here + 1)
  else if (e.key === 'ArrowUp') go(vertical(-1))
  else if (e.key === 'ArrowDown') go(vertical(1))
  else if (e.key === 'PageUp') go(vertical(-rows))
  else if (e.key === 'PageDown') go(vertical(rows))
  else if (e.key === 'Home') go(0)
  else if (e.key === 'End') go(show.total - 1)
  else if (e.key === 'Enter' || e.key === ' ') open()
  else if (e.key === 'Escape' || e.key === '/') $('words').focus()
  else return
  e.preventDefault()
}
let drawing = false
grid.onscroll = () => {
  if (drawing) return
  drawing = true
  requestAnimationFrame(() => { drawing = false; draw() })
}
let width = 0
new ResizeObserver(() => {
  if (grid.clientWidth === width) return draw()
  width = grid.clientWidth
  layOut()
}).observe(grid)

// The panel.

let looking = null
function open() {
  const h = show.hits[here]
  if (!h) return
  looking?.abort()
  looking = new AbortController()
  $('why').hidden = !show.why
  explain(h)
  $('name').textContent = h.key
  $('caption').textContent = h.caption || ''
  const facts = [
    ['Taken', h.taken ? h.taken.replace('T', ' ') : ''], ['Date', h.taken ? '' : h.date],
    ['Place', h.place && degrees(h.place[0], 'NS') + ', ' + degrees(h.place[1], 'EW')],
    ['Size', h.width && `${h.width} × ${h.height}`], ['File', h.size && size(h.size)],
    ['Strength', h.strength !== undefined && h.strength.toFixed(1)], ['Likeness', h.badge],
  ]
  $('facts').replaceChildren(...facts.filter(f => f[1]).flatMap(([what, value]) => {
    const dt = document.createElement('dt'), dd = document.createElement('dd')
    dt.textContent = what
    dd.textContent = value
    return [dt, dd]
  }))
  $('back').disabled = here === 0
  $('forth').disabled = here === show.total - 1
  if (!$('panel').open) $('panel').showModal()
}

// explain shows the photograph, or where that is asked for what of it fits.
async function explain(h) {
  const img = $('photo'), now = looking, asked = show.why && $('why').getAttribute('aria-pressed') === 'true'
  img.alt = name(h)
  img.removeAttribute('src')
  img.onerror = () => { img.onerror = null; place(img, thumb(h), now.signal) } // of a format that browsers cannot show
  $('scale').hidden = true
  reason(asked ? 'Looking for what matches…' : '')
  if (asked) {
    try {
      const answer = await show.why(h.key, now.signal)
      const [x, y] = (answer.headers.get('Goclip-Peak') || '0.5 0.5').split(' ').map(Number)
      const picture = await answer.blob()
      if (now.signal.aborted) return
      img.alt = name(h) + ', with a heat map of what matches'
      $('scale').hidden = false
      reason(`What matches is brightest ${spot(x, y)}.`)
      return reveal(img, picture)
    } catch (e) {
      if (now.signal.aborted) return
      reason(e.message)
    }
  }
  place(img, '/api/photo?' + new URLSearchParams({ key: h.key }), now.signal)
}

const reason = words => { $('reason').textContent = words }

// spot says where in a picture a place is.
function spot(x, y) {
  const across = x < 1 / 3 ? 'left' : x > 2 / 3 ? 'right' : '', down = y < 1 / 3 ? 'top' : y > 2 / 3 ? 'bottom' : ''
  return across || down ? `at the ${down}${across && down ? ' ' : ''}${across}` : 'in the middle'
}

$('why').onclick = () => {
  $('why').setAttribute('aria-pressed', $('why').getAttribute('aria-pressed') !== 'true')
  looking?.abort()
  looking = new AbortController()
  explain(show.hits[here])
}

const degrees = (v, sides) => `${Math.abs(v).toFixed(4)}° ${sides[v < 0 ? 1 : 0]}`
const size = n => n < 1e3 ? n + ' bytes' : n < 1e6 ? (n / 1e3).toFixed(0) + ' kB' : (n / 1e6).toFixed(1) + ' MB'

function step(by) {
  go(here + by)
  open()
}
$('back').onclick = () => step(-1)
$('forth').onclick = () => step(1)
$('close').onclick = () => $('panel').close()
$('panel').onkeydown = e => {
  if (e.key === 'ArrowLeft') step(-1)
  if (e.key === 'ArrowRight') step(1)
}
$('panel').onclick = e => { if (e.target === $('panel')) $('panel').close() }
$('panel').onclose = () => { looking?.abort(); grid.focus() }
$('similar').onclick = () => {
  const key = show.hits[here].key
  $('panel').close()
  $('words').value = ''
  alike(key, null)
}

// alike looks for what is like a photograph of the index, or a picture.
function alike(key, file) {
  $('twins').setAttribute('aria-pressed', 'false')
  near(key, file)
  search()
}

function near(key, file) {
  like = key
  picture = file
  $('likeness').textContent = key || file?.name || ''
  $('like').hidden = !key && !file
}
$('unlike').onclick = () => { alike('', null); $('words').focus() }

// The form.

let typing = 0
const soon = () => { clearTimeout(typing); typing = setTimeout(search, 150) }
for (const id of ['words', 'after', 'before', 'path', 'min']) $(id).addEventListener('input', soon)
$('words').addEventListener('input', () => $('twins').setAttribute('aria-pressed', 'false'))
$('ask').onsubmit = e => { e.preventDefault(); clearTimeout(typing); search() }
$('words').onkeydown = e => {
  if (e.key === 'ArrowDown' && show.total) { e.preventDefault(); grid.focus() }
}
$('sieve').onclick = () => {
  $('filters').hidden = !$('filters').hidden
  $('sieve').setAttribute('aria-expanded', !$('filters').hidden)
}
$('twins').onclick = () => {
  $('twins').setAttribute('aria-pressed', $('twins').getAttribute('aria-pressed') !== 'true')
  search()
}

async function take(file) {
  if (!file) return
  const url = await new Promise((done, failed) => {
    const r = new FileReader()
    r.onload = () => done(r.result)
    r.onerror = () => failed(r.error)
    r.readAsDataURL(file)
  })
  alike('', { name: file.name, data: url.slice(url.indexOf(',') + 1) })
}
$('pick').onclick = () => $('file').click()
$('file').onchange = () => { take($('file').files[0]); $('file').value = '' }
let inside = 0
const files = e => e.dataTransfer?.types.includes('Files')
addEventListener('dragenter', e => { if (files(e)) { e.preventDefault(); inside++; $('drop').hidden = false } })
addEventListener('dragleave', e => { if (files(e) && --inside <= 0) { inside = 0; $('drop').hidden = true } })
addEventListener('dragover', e => { if (files(e)) e.preventDefault() })
addEventListener('drop', e => {
  if (!files(e)) return
  e.preventDefault()
  inside = 0
  $('drop').hidden = true
  take(e.dataTransfer.files[0])
})
addEventListener('paste', e => { if (e.clipboardData.files.length) take(e.clipboardData.files[0]) })

$('unlock').onsubmit = e => {
  e.preventDefault()
  sessionStorage.setItem('key', $('key').value.trim())
  $('key').value = ''
  $('lock').close()
  search()
}

const state = new URLSearchParams(location.hash.slice(1))
$('words').value = state.get('q') || ''
for (const id of ['after', 'before', 'path', 'min']) $(id).value = state.get(id) || ''
if (['after', 'before', 'path', 'min'].some(id => $(id).value)) $('sieve').click()
$('twins').setAttribute('aria-pressed', state.has('duplicates'))
near(state.get('like') || '', null)
search()
