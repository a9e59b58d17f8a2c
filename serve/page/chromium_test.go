package page_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// browser is a headless Chromium with one page, spoken to by the DevTools protocol over two
// pipes: https://chromedevtools.github.io/devtools-protocol.
type browser struct {
	t       *testing.T
	to      *os.File
	events  chan answer
	session string
	id      int
	send    chan request
}

type request struct {
	text []byte
	id   int
	back chan answer
}

type answer struct {
	ID     int
	Method string
	Result json.RawMessage
	Params json.RawMessage
	Error  *struct{ Message string }
}

// chromium starts one, or skips the test where there is none.
func chromium(t *testing.T) *browser {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil && program == "" {
			program = path
		}
	}
	if program == "" {
		if os.Getenv("GOCLIP_BROWSER") != "" {
			t.Fatal("GOCLIP_BROWSER is set, but there is no Chromium")
		}
		t.Skip("there is no Chromium")
	}
	in, to, err := os.Pipe()
	check(t, err)
	from, out, err := os.Pipe()
	check(t, err)
	profile, err := os.MkdirTemp("", "chromium")
	check(t, err)
	cmd := exec.CommandContext(t.Context(), program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--hide-scrollbars", "--remote-debugging-pipe", "--user-data-dir="+profile, "about:blank")
	cmd.ExtraFiles = []*os.File{in, out} // 3, from which it reads, and 4
	check(t, cmd.Start())
	check(t, in.Close())
	check(t, out.Close())
	b := &browser{t: t, to: to, events: make(chan answer, 10_000), send: make(chan request)}
	got := make(chan answer)
	go listen(from, got)
	go b.dispatch(got)
	t.Cleanup(func() {
		_, _ = to.Write([]byte(`{"id":1000000,"method":"Browser.close"}` + "\x00"))
		_ = cmd.Wait()
		_ = to.Close()
		for range 50 { // some of its processes end a little later
			if err = os.RemoveAll(profile); err == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Error(err)
	})
	var target struct{ TargetID, SessionID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	b.session = target.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

func listen(from *os.File, got chan<- answer) {
	defer close(got)
	defer from.Close()
	for r := bufio.NewReader(from); ; {
		text, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var a answer
		if json.Unmarshal(bytes.TrimSuffix(text, []byte{0}), &a) == nil {
			got <- a
		}
	}
}

// dispatch gives answers to those that asked, and keeps events.
func (b *browser) dispatch(got <-chan answer) {
	told := map[string]bool{"Runtime.consoleAPICalled": true, "Runtime.exceptionThrown": true, "Log.entryAdded": true, "Network.requestWillBeSent": true}
	waiting := map[int]chan answer{}
	for {
		select {
		case r := <-b.send:
			waiting[r.id] = r.back
			_, _ = b.to.Write(append(r.text, 0))
		case a, ok := <-got:
			if !ok {
				for _, back := range waiting {
					close(back)
				}
				return
			}
			if back := waiting[a.ID]; back != nil {
				delete(waiting, a.ID)
				back <- a
			} else if told[a.Method] && len(b.events) < cap(b.events) {
				b.events <- a
			}
		}
	}
}

// call asks the browser for something.
func (b *browser) call(method string, params, result any) {
	b.t.Helper()
	b.id++
	if params == nil {
		params = struct{}{}
	}
	text, err := json.Marshal(map[string]any{"id": b.id, "method": method, "params": params, "sessionId": b.session})
	if b.session == "" {
		text, err = json.Marshal(map[string]any{"id": b.id, "method": method, "params": params})
	}
	check(b.t, err)
	back := make(chan answer, 1)
	select {
	case b.send <- request{text, b.id, back}:
	case <-time.After(time.Minute):
		b.t.Fatalf("%s: the browser is gone", method)
	}
	select {
	case a, ok := <-back:
		if !ok || a.Error != nil {
			b.t.Fatalf("%s: %+v", method, a.Error)
		}
		if result != nil {
			check(b.t, json.Unmarshal(a.Result, result))
		}
	case <-time.After(time.Minute):
		b.t.Fatalf("%s: no answer", method)
	}
}

// run evaluates a script, awaits it, and reads its value into v.
func (b *browser) run(script string, v any) {
	b.t.Helper()
	var got struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	b.call("Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true}, &got)
	if e := got.ExceptionDetails; e != nil {
		b.t.Fatalf("%.80s: %s %s", script, e.Text, e.Exception.Description)
	}
	if v != nil {
		check(b.t, json.Unmarshal(got.Result.Value, v))
	}
}

// until waits for a script to be true.
func (b *browser) until(script string) {
	b.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		var is bool
		b.run("!!("+script+")", &is)
		if is {
			return
		}
		if time.Now().After(end) {
			var seen string
			b.run("document.getElementById('status').textContent + ' | ' + document.activeElement.id", &seen)
			b.t.Fatalf("never true: %s (%s)", script, seen)
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// key presses a key.
func (b *browser) key(name string) {
	b.t.Helper()
	codes := map[string]int{"Enter": 13, "Escape": 27, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Tab": 9}
	press := map[string]any{"type": "keyDown", "key": name, "code": name, "windowsVirtualKeyCode": codes[name]}
	if name == "Enter" {
		press["text"] = "\r"
	}
	b.call("Input.dispatchKeyEvent", press, nil)
	press["type"] = "keyUp"
	delete(press, "text")
	b.call("Input.dispatchKeyEvent", press, nil)
}

func (b *browser) size(width, height int) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
}

func (b *browser) scheme(name string) {
	b.t.Helper()
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": name}}}, nil)
}

// shot keeps a picture of the page in the folder GOCLIP_SHOTS, where that is set.
func (b *browser) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("GOCLIP_SHOTS")
	if dir == "" {
		return
	}
	var got struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &got)
	data, err := base64.StdEncoding.DecodeString(got.Data)
	check(b.t, err)
	check(b.t, os.WriteFile(filepath.Join(dir, name+".png"), data, 0o600))
}

// complaints are what the console has said so far, and what was asked of other hosts than base.
func (b *browser) complaints(base string) (list []string) {
	for {
		select {
		case e := <-b.events:
			switch e.Method {
			case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded":
				list = append(list, fmt.Sprintf("%s: %.400s", e.Method, e.Params))
			case "Network.requestWillBeSent":
				var asked struct{ Request struct{ URL string } }
				if err := json.Unmarshal(e.Params, &asked); err != nil || !sameHost(asked.Request.URL, base) {
					list = append(list, "asked for "+asked.Request.URL)
				}
			}
		default:
			return list
		}
	}
}
