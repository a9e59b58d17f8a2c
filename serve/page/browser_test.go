package page_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// shown opens the page and waits for its photographs.
func (b *browser) shown(base string) {
	b.t.Helper()
	b.size(1200, 800)
	b.call("Page.navigate", map[string]any{"url": base + "/"}, nil)
	b.until("location.host && document.getElementById('status')?.textContent")
}

const (
	tiles  = "document.querySelectorAll('.tile').length"
	active = "document.getElementById(document.getElementById('grid').getAttribute('aria-activedescendant'))"
	images = "[...document.querySelectorAll('.tile img')].filter(i => i.naturalWidth).length"
	status = "document.getElementById('status').textContent"
	panel  = "document.getElementById('panel').open"
	photo  = "document.getElementById('photo').naturalWidth"
)

// TestBrowser goes through the page as people do, with keyboard and mouse.
func TestBrowser(t *testing.T) {
	b := chromium(t)
	base := gallery(t, 40, 0)
	b.shown(base)
	b.until(status + ".includes('44 photographs, the newest first')")
	b.until(images + " > 20")
	audit(b, "all")

	var before, after []string
	keys := "[...document.querySelectorAll('.tile')].sort((a, b) => a.ariaPosInSet - b.ariaPosInSet).slice(0, 9).map(t => t.ariaLabel)"
	b.run(keys, &before)
	b.call("Input.insertText", map[string]any{"text": "sun -hills"}, nil) // the field has the focus
	b.until(status + ".includes('the nearest first')")
	b.until("location.hash.includes('q=sun')")
	b.run(keys, &after)
	var want struct{ Hits []struct{ Key string } }
	b.run("fetch('/api/search?q=sun+-hills&k=9').then(r => r.json())", &want)
	if strings.Join(before, "|") == strings.Join(after, "|") || len(want.Hits) != 9 {
		t.Errorf("the words change nothing: %q", after)
	}
	for i, h := range want.Hits {
		if after[i] != h.Key {
			t.Errorf("tile %d is %q, want %q", i, after[i], h.Key)
		}
	}
	b.until(images + " > 20")
	b.shot("words-light")
	b.scheme("dark")
	b.shot("words-dark")
	audit(b, "dark")
	b.scheme("light")

	b.key("ArrowDown") // to the photographs
	b.until("document.activeElement.id == 'grid'")
	b.key("ArrowRight")
	b.key("ArrowDown")
	b.until(active + ".ariaPosInSet == 8") // six columns
	b.shot("keyboard-light")
	b.key("Enter")
	b.until(panel + " && " + photo + " == 320")
	b.until("document.getElementById('facts').textContent.includes('320 × 240')")
	b.shot("panel-light")
	audit(b, "panel")
	b.scheme("dark")
	b.shot("panel-dark")
	audit(b, "panel, dark")
	b.scheme("light")
	b.key("ArrowRight")
	b.until(active + ".ariaPosInSet == 9 && " + photo + " == 320")
	explained(b)
	b.key("Escape")
	b.until("!" + panel + " && document.activeElement.id == 'grid'")
	b.key("End")
	b.until(active + "?.ariaPosInSet == 44")

	b.run("document.querySelector('.tile').click()", nil)
	b.until(panel)
	b.run("document.getElementById('similar').click()", nil)
	b.until("!" + panel + " && location.hash.startsWith('#like=')")
	b.until("!document.getElementById('like').hidden && " + status + ".includes('nearest')")
	b.shot("like-light")
	audit(b, "like")
	b.run("document.getElementById('unlike').click()", nil)
	b.until(status + ".includes('newest')")

	b.run("document.getElementById('sieve').click()", nil)
	b.run("{const p = document.getElementById('path'); p.value = '2021/**'; p.dispatchEvent(new Event('input'))}", nil)
	b.until(status + ".startsWith('10 photographs')")
	b.shot("filters-light")
	audit(b, "filters")
	b.run("{const p = document.getElementById('after'); p.value = '2022-01-01'; p.dispatchEvent(new Event('input'))}", nil)
	b.until(status + " == 'No photographs'")
	audit(b, "none")
	b.run("for (const id of ['path', 'after']) document.getElementById(id).value = ''; document.getElementById('twins').click()", nil)
	b.until(status + ".includes('of duplicates')")
	b.until("document.querySelectorAll('.badge.keep').length && " + images + " > 1")
	b.shot("duplicates-light")
	audit(b, "duplicates")
	b.scheme("dark")
	b.shot("duplicates-dark")
	audit(b, "duplicates, dark")
	b.scheme("light")

	// A picture is dropped in.
	b.run(`(async () => {
		const file = new File([await (await fetch('/api/photo?key=' + encodeURIComponent('2021/landscape 05.jpg'))).blob()], 'mine.jpg', { type: 'image/jpeg' })
		const data = new DataTransfer()
		data.items.add(file)
		for (const kind of ['dragenter', 'dragover', 'drop']) document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }))
	})()`, nil)
	b.until("document.getElementById('likeness').textContent == 'mine.jpg' && document.querySelector('#tile0')?.ariaLabel == '2021/landscape 05.jpg'")
	b.run("document.querySelector('#tile0').click(); document.getElementById('why').click()", nil)
	b.until("document.getElementById('reason').textContent.includes('brightest')")
	b.run("document.getElementById('why').click(); document.getElementById('close').click()", nil)

	b.size(390, 800)
	b.until("document.querySelector('.tile').offsetWidth > 150")
	var wide int
	b.run("document.documentElement.scrollWidth", &wide)
	if wide > 390 {
		t.Errorf("on a screen of 390 pixels the page has %d", wide)
	}
	b.shot("small-light")
	b.run("document.getElementById('words').value = '-\"x'; document.getElementById('ask').requestSubmit()", nil)
	b.until(status + ".includes('never closed')")
	for _, c := range b.complaints(base) {
		if !strings.Contains(c, "400 (Bad Request)") { // the last one
			t.Error(c)
		}
	}

	// With faults, so that the checks above are known to see them.
	b.run("document.body.insertAdjacentHTML('beforeend', '<img src=\"http://elsewhere.example/x.png\"><p style=\"color: red\">'); console.log('spoke')", nil)
	b.until("document.images.length")
	if found := violations(b); os.Getenv("GOCLIP_AXE") != "" && len(found) == 0 {
		t.Error("axe-core does not find an image that says nothing")
	}
	said := strings.Join(b.complaints(base), "\n")
	for _, want := range []string{"elsewhere.example", "style-src", "spoke"} {
		if !strings.Contains(said, want) {
			t.Errorf("the console does not tell of %s: %s", want, said)
		}
	}
}

// explained asks by the keyboard why a photograph was found, and why its neighbour was.
func explained(b *browser) {
	b.t.Helper()
	const reason, pressed = "document.getElementById('reason').textContent", "document.getElementById('why').ariaPressed"
	const address = "document.getElementById('photo').src"
	b.run("document.getElementById('why').focus()", nil)
	b.key("Enter")
	b.until(pressed + " == 'true' && " + reason + ".includes('brightest') && " + photo + " == 320 && " + address + ".startsWith('blob:')")
	var same bool // the map is not the photograph
	b.run(`(async () => {
		const pixels = async source => {
			const c = new OffscreenCanvas(320, 240).getContext('2d')
			c.drawImage(source, 0, 0)
			return c.getImageData(0, 0, 320, 240).data
		}
		const key = document.getElementById('name').textContent
		const plain = await createImageBitmap(await (await fetch('/api/photo?key=' + encodeURIComponent(key))).blob())
		const [a, b] = [await pixels(document.getElementById('photo')), await pixels(plain)]
		return a.every((v, i) => Math.abs(v - b[i]) < 40)
	})()`, &same)
	if same {
		b.t.Error("the photograph is shown without a map")
	}
	b.until("document.getElementById('photo').alt.endsWith('with a heat map of what matches')")
	b.shot("why-light")
	audit(b, "why")
	b.scheme("dark")
	b.shot("why-dark")
	audit(b, "why, dark")
	b.scheme("light")
	b.key("ArrowRight") // it stays so from photograph to photograph
	b.until(active + ".ariaPosInSet == 10 && " + reason + ".includes('brightest') && " + photo + " == 320")
	b.key("Enter")
	b.until(pressed + " == 'false' && " + address + ".includes('/api/photo') && " + reason + " == ''")
}

// TestBrowserMany: of 100,000 photographs only those in sight are there.
func TestBrowserMany(t *testing.T) {
	b := chromium(t)
	base := gallery(t, 4, 100_000)
	b.shown(base)
	b.until(status + ".includes('100,00')")
	b.call("Input.insertText", map[string]any{"text": "sun"}, nil)
	b.until(status + ".includes('nearest')")
	var first, last, sifted float64
	const timed = "(async () => { const began = performance.now(); await (await fetch('/api/search?q=hills&k=120%s')).json(); return performance.now() - began })()"
	b.run(fmt.Sprintf(timed, ""), &first)
	b.run(fmt.Sprintf(timed, "&offset=99000"), &last)
	b.run(fmt.Sprintf(timed, "&path=more/**"), &sifted)
	t.Logf("a search: %.0f ms; its end %.0f ms; with a filter %.0f ms", first, last, sifted)
	var slow struct{ Worst, Median, Tiles float64 }
	b.run(`(async () => {
		const grid = document.getElementById('grid'), times = []
		let tiles = 0, last = performance.now()
		for (let i = 0; i < 120; i++) {
			grid.scrollTop += i % 30 == 29 ? 400000 : 700
			await new Promise(requestAnimationFrame)
			tiles = Math.max(tiles, document.querySelectorAll('.tile').length)
			times.push(performance.now() - last)
			last = performance.now()
		}
		times.sort((a, b) => a - b)
		return { worst: times.at(-1), median: times[60], tiles }
	})()`, &slow)
	t.Logf("frames while scrolling: median %.1f ms, worst %.1f ms; at most %.0f tiles", slow.Median, slow.Worst, slow.Tiles)
	if !(slow.Median <= 50) || slow.Tiles > 150 {
		t.Errorf("frames take %.0f ms with %.0f tiles, want at most 50 and 150", slow.Median, slow.Tiles)
	}
	b.run("document.getElementById('grid').focus()", nil)
	b.key("End")
	b.until(active + "?.ariaPosInSet > 100000 && " + active + ".ariaLabel != 'Not loaded yet'")
}

// TestBrowserKey: a server with keys is asked with the one that is typed in.
func TestBrowserKey(t *testing.T) {
	b := chromium(t)
	base := gallery(t, 4, 0, "sk-one")
	b.shown(base)
	b.until("document.getElementById('lock').open && document.activeElement.id == 'key'")
	b.shot("lock-light")
	audit(b, "lock")
	b.call("Input.insertText", map[string]any{"text": "wrong"}, nil)
	b.key("Enter")
	b.until("document.getElementById('lock').open && document.getElementById('key').value == ''")
	b.call("Input.insertText", map[string]any{"text": "sk-one"}, nil)
	b.key("Enter")
	b.until("!document.getElementById('lock').open && " + images + " == 6 && sessionStorage.getItem('key') == 'sk-one'")
	b.run("document.querySelector('.tile').click()", nil)
	b.until(photo + " == 320")
}

// audit lets axe-core look for what people with a screen reader, or weak eyes, stumble over.
func audit(b *browser, what string) {
	b.t.Helper()
	for _, f := range violations(b) {
		b.t.Errorf("%s: axe-core: %s: %.600s", what, f.ID, f.Nodes)
	}
}

type violation struct {
	ID    string
	Nodes []string
}

// violations are those that axe-core finds, where GOCLIP_AXE names its axe.min.js.
func violations(b *browser) (found []violation) {
	b.t.Helper()
	path := os.Getenv("GOCLIP_AXE")
	if path == "" {
		if os.Getenv("GOCLIP_BROWSER") != "" {
			b.t.Fatal("GOCLIP_BROWSER is set, but GOCLIP_AXE is not")
		}
		return nil
	}
	text, err := os.ReadFile(path)
	check(b.t, err)
	b.run(string(text)+"; 0", nil)
	b.run("axe.run().then(r => r.violations.map(v => ({ id: v.id, nodes: v.nodes.map(n => n.html + ' ' + n.failureSummary) })))", &found)
	return found
}
