package serve

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// immichAnswer is what Immich's client reads: the vector is JSON within a string.
type immichAnswer struct {
	Clip                    string
	ImageHeight, ImageWidth int
}

func (a immichAnswer) row(t *testing.T) (row []float32) {
	t.Helper()
	check(t, json.Unmarshal([]byte(a.Clip), &row))
	return row
}

func TestImmich(t *testing.T) {
	_, base := serving(t, nil)
	m := load(t)
	status, header, body := replay(t, base, "immich-ping")
	if status != http.StatusOK || string(body) != "pong" || !strings.HasPrefix(header.Get("Content-Type"), "text/plain") {
		t.Errorf("ping: %d %q", status, body)
	}
	var a immichAnswer
	answered(t, base, "immich-clip-visual", &a)
	same(t, "visual", a.row(t), rowOf(t, m, "", photo(t)))
	if a.ImageHeight != 145 || a.ImageWidth != 88 {
		t.Errorf("got an image of %d × %d, want 88 × 145", a.ImageWidth, a.ImageHeight)
	}
	for _, name := range []string{"immich-clip-textual", "immich-clip-textual-nolang"} {
		raw := recorded(t, name)
		_, rest, _ := strings.Cut(string(raw), "name=\"text\"\r\n\r\n")
		sent, _, _ := strings.Cut(rest, "\r\n------")
		a = immichAnswer{}
		answered(t, base, name, &a)
		same(t, name, a.row(t), rowOf(t, m, sent, nil))
		if strings.Contains(a.Clip, " ") || a.ImageWidth != 0 {
			t.Errorf("%s: got %v", name, a)
		}
	}
}

// TestImmichUpstream: tasks that are not CLIP's are another server's, and what comes back is
// its answer.
func TestImmichUpstream(t *testing.T) {
	var asked []string
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path+" "+r.FormValue("entries"))
		f, h, err := r.FormFile("image")
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		data, _ := io.ReadAll(f)
		if string(data) != string(photo(t)) || h.Filename != "blob" {
			t.Errorf("the upstream got another image, %q of %d bytes", h.Filename, len(data))
		}
		_, _ = w.Write([]byte(`{"facial-recognition":[{"score":0.5}],"ocr":{"text":["A"]},"imageHeight":145,"imageWidth":88}`))
	}))
	defer upstream.Close()
	u, err := url.Parse(upstream.URL + "/ml/")
	check(t, err)
	_, base := serving(t, func(o *Options) { o.Upstream = u })
	var a struct {
		Faces       []struct{ Score float64 } `json:"facial-recognition"`
		ImageHeight int
	}
	answered(t, base, "immich-faces", &a)
	if len(a.Faces) != 1 || a.Faces[0].Score != 0.5 || a.ImageHeight != 145 {
		t.Errorf("got %+v", a)
	}
	if len(asked) != 1 || !strings.HasPrefix(asked[0], `/ml/predict {"facial-recognition":{"detection":{"modelName":"buffalo_l","options":{"minScore":0.7}}`) {
		t.Errorf("the upstream was asked %q", asked)
	}
	// Several tasks in one request are divided.
	raw := strings.Replace(string(recorded(t, "immich-clip-visual")), `{"clip":`, `{"ocr":{"detection":{"modelName":"x"}},"clip":`, 1)
	raw = strings.Replace(raw, "content-length: 2172", "content-length: 2210", 1)
	status, _, body := sendRaw(t, base, []byte(raw))
	var both struct {
		Clip string
		OCR  struct{ Text []string }
	}
	check(t, json.Unmarshal(body, &both))
	if status != http.StatusOK || both.Clip == "" || len(both.OCR.Text) != 1 {
		t.Errorf("both: %d %s", status, body)
	}

	_, alone := serving(t, nil)
	for _, name := range []string{"immich-faces", "immich-ocr"} {
		status, _, body := replay(t, alone, name)
		if status != http.StatusNotImplemented || !strings.Contains(string(body), `{"detail":"`) {
			t.Errorf("%s without an upstream: %d %s", name, status, body)
		}
	}
}

func TestImmichRefuses(t *testing.T) {
	_, base := serving(t, nil)
	form := func(parts ...string) string {
		var b strings.Builder
		for _, p := range parts {
			name, value, _ := strings.Cut(p, "=")
			b.WriteString("--xx\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n")
		}
		return b.String() + "--xx--\r\n"
	}
	clip := `entries={"clip":{"textual":{"modelName":"m"}}}`
	for name, c := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"no entries":       {form("text=a"), 422, "entries"},
		"entries no JSON":  {form("entries={", "text=a"), 422, "JSON"},
		"entries a list":   {form("entries=[]", "text=a"), 422, "object"},
		"task a list":      {form(`entries={"clip":[]}`, "text=a"), 422, "object"},
		"entry a string":   {form(`entries={"clip":{"textual":"m"}}`, "text=a"), 422, "object"},
		"no model":         {form(`entries={"clip":{"textual":{}}}`, "text=a"), 422, "modelName"},
		"unknown type":     {form(`entries={"clip":{"both":{"modelName":"m"}}}`, "text=a"), 422, "both"},
		"unknown model":    {form(`entries={"clip":{"textual":{"modelName":"ViT-X"}}}`, "text=a"), 404, "ViT-X"},
		"neither":          {form(clip), 400, "Either image or text must be provided"},
		"empty text":       {form(clip, "text="), 400, "Either image or text must be provided"},
		"text for visual":  {form(`entries={"clip":{"visual":{"modelName":"m"}}}`, "text=a"), 400, "visual"},
		"image for text":   {form(clip, "image=a"), 400, "textual"},
		"no image":         {form(`entries={"clip":{"visual":{"modelName":"m"}}}`, "image=GIF89a"), 400, "image"},
		"empty image":      {form(`entries={"clip":{"visual":{"modelName":"m"}}}`, "image="), 400, "image"},
		"cut off":          {strings.TrimSuffix(form(clip, "text=a"), "--xx--\r\n"), 422, "form"},
		"other than UTF-8": {form(clip, "text=\xff"), 400, "UTF-8"},
	} {
		resp, err := http.Post(base+"/predict", "multipart/form-data; boundary=xx", strings.NewReader(c.body))
		check(t, err)
		var said struct{ Detail string }
		check(t, json.NewDecoder(resp.Body).Decode(&said))
		resp.Body.Close()
		if resp.StatusCode != c.status || !strings.Contains(said.Detail, c.says) {
			t.Errorf("%s: got %d %q, want %d and %q", name, resp.StatusCode, said.Detail, c.status, c.says)
		}
	}
}
