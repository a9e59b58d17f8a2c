package photos_test

import (
	"strings"
	"testing"
	"time"

	"github.com/goclip/goclip/photos"
)

// TestGlob: patterns of keys.
func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, key string
		want         bool
	}{
		{"2024/**", "2024/a.jpg", true},
		{"2024/**", "2024/b/c/a.jpg", true},
		{"2024/**", "2023/a.jpg", false},
		{"2024/*", "2024/b/a.jpg", false},
		{"*.png", "2024/b/a.PNG", true},
		{"*.png", "2024/b/a.jpg", false},
		{"**/holidays/**", "2024/Holidays/a.jpg", true},
		{"**/holidays/**", "holidays/x/a.jpg", true},
		{"**/holidays/**", "2024/a.jpg", false},
		{"/a.jpg", "a.jpg", true},
		{"/a.jpg", "b/a.jpg", false},
		{"**", "anything/at/all", true},
		{"a?.jpg", "ab.jpg", true},
		{"a/**/b/**/c", "a/b/x/b/y/c", true},
		{"a/**/b/**/c", "a/x/y/c", false},
		{"./2024/*", "2024/a", true},
	} {
		g, err := photos.Glob(c.pattern)
		check(t, err)
		if g(c.key) != c.want {
			t.Errorf("%q of %q: got %t", c.pattern, c.key, !c.want)
		}
	}
	_, err := photos.Glob("a[")
	fails(t, `pattern "a["`, err)
	g, err := photos.Glob(strings.Repeat("**/", 60) + "a")
	check(t, err)
	if g(strings.Repeat("b/", 10_000) + "c") { // in no time
		t.Error("matched")
	}
}

// TestBetween: dates of the camera's clock, whole years and months too; what says no time is in
// no range.
func TestBetween(t *testing.T) {
	july := photos.Photo{Taken: "2024-07-14T23:59:59-05:00"}
	for _, c := range []struct {
		first, last string
		want        bool
	}{
		{"2024-07-14", "2024-07-14", true}, {"2024-07", "2024-07", true}, {"2024", "2024", true}, {"2024-07-15", "", false},
		{"", "2024-07-13", false}, {"", "2024-06", false}, {"2025", "", false}, {"", "2023", false}, {"", "", true},
	} {
		in, err := photos.Between(c.first, c.last, time.UTC)
		check(t, err)
		if in(july) != c.want {
			t.Errorf("from %q to %q: got %t", c.first, c.last, !c.want)
		}
		if c.first != "" && in(photos.Photo{}) {
			t.Errorf("from %q: a photograph without a time", c.first)
		}
	}
	file := photos.Photo{Modified: time.Date(2020, 1, 1, 0, 30, 0, 0, time.UTC).UnixNano()}
	in, err := photos.Between("2019-12-31", "2019-12-31", time.FixedZone("", -3600))
	check(t, err)
	if !in(file) {
		t.Error("the file's own time is not taken at its place")
	}
	for _, bad := range []string{"yesterday", "2024-13", "2024-7", "14.07.2024", "2024-02-30"} {
		_, err := photos.Between("", bad, time.UTC)
		fails(t, "want one such as 2006", err)
	}
}

// FuzzParse: whatever a Meta is, a photograph that is read of it is written as the same.
func FuzzParse(f *testing.F) {
	f.Add(photos.Photo{Size: 1, SHA256: "ab", Look: 7, Taken: "2024-07-14T23:59:59Z", Place: &[2]float64{1, 2}}.Meta())
	f.Add(`{"goclip_photo":1,"look":"zz"}`)
	f.Add(`{"goclip_photo":2}`)
	f.Add(`a caption`)
	f.Fuzz(func(t *testing.T, meta string) {
		p, ok := photos.Parse(meta)
		if !ok {
			return
		}
		again, ok := photos.Parse(p.Meta())
		if !ok || again.Meta() != p.Meta() {
			t.Errorf("%q is %+v, and again %+v", meta, p, again)
		}
		p.Day(time.UTC)
	})
}
