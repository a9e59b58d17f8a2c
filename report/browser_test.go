package report

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// visit is what a browser did with a page.
type visit struct {
	asked   []string // of the page's host
	console []string
	shot    image.Image
}

var consoleLine = regexp.MustCompile(`(?m)^.*CONSOLE[:(].*$`)

// open shows a page in headless Chromium. What the page asks of other hosts, its
// own content security policy forbids, which the console tells.
func open(t *testing.T, program, page string) visit {
	t.Helper()
	var v visit
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		v.asked = append(v.asked, r.URL.Path)
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, page)
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute) // in case it hangs
	defer cancel()
	file := filepath.Join(t.TempDir(), "page.png")
	cmd := exec.CommandContext(ctx, program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(),
		"--enable-logging=stderr", "--hide-scrollbars", "--window-size=1100,3000", "--screenshot="+file, server.URL+"/")
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, said)
	}
	v.console = consoleLine.FindAllString(string(said), -1)
	data, err := os.ReadFile(file)
	check(t, err)
	v.shot, err = png.Decode(bytes.NewReader(data))
	check(t, err)
	mu.Lock()
	defer mu.Unlock()
	return v
}

// colours counts the different colours of an image, and the share of pixels
// that have another than the most frequent one.
func colours(img image.Image) (n int, drawn float64) {
	count := make(map[[3]uint32]int)
	b := img.Bounds()
	most := 0
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			r, g, bl, _ := img.At(x, y).RGBA()
			c := [3]uint32{r, g, bl}
			count[c]++
			most = max(most, count[c])
		}
	}
	return len(count), 1 - float64(most)/float64(b.Dx()*b.Dy())
}

// TestBrowserShowsThePage: it asks for nothing but the page, has no complaint,
// and draws something.
func TestBrowserShowsThePage(t *testing.T) {
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
	v := open(t, program, html(t, full(t)))
	if !slices.Equal(v.asked, []string{"/"}) {
		t.Errorf("the browser asked for %v, want the page alone", v.asked)
	}
	if len(v.console) > 0 {
		t.Errorf("the browser complains:\n%s", strings.Join(v.console, "\n"))
	}
	if n, drawn := colours(v.shot); n < 500 || !(drawn >= 0.1) {
		t.Errorf("%d colours on %.3f of the page, want 500 on 0.1 at least", n, drawn)
	}

	// With every fault, so that the checks above are known to see them.
	faults := `<img src="/other.png"><img src="https://elsewhere.example/x.png"><script>alert(1)</script><link rel="stylesheet" href="https://elsewhere.example/s.css">`
	v = open(t, program, strings.Replace(html(t, &Report{Title: "t"}), "<main>", faults, 1))
	console := strings.Join(v.console, "\n")
	for _, want := range []string{"/other.png", "elsewhere.example/x.png", "inline script", "elsewhere.example/s.css"} {
		if !strings.Contains(console, want) {
			t.Errorf("the console does not tell of %s:\n%s", want, console)
		}
	}
	v = open(t, program, `<!DOCTYPE html><img src="/other.png"><script>console.log("spoke")</script>`)
	if !slices.Contains(v.asked, "/other.png") || len(v.console) != 1 {
		t.Errorf("of a page with an image the browser asked for %v; the console says %q, want that it spoke", v.asked, v.console)
	}
	if n, drawn := colours(v.shot); n >= 500 || drawn >= 0.1 {
		t.Errorf("an empty page has %d colours on %.3f of it", n, drawn)
	}
}
