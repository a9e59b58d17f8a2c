package photos_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/photos"
)

// TestMain runs this binary as the process that TestKilled kills: GOCLIP_PHOTOS_CHILD is the
// folder, GOCLIP_PHOTOS_OUT the library.
func TestMain(m *testing.M) {
	dir := os.Getenv("GOCLIP_PHOTOS_CHILD")
	if dir == "" {
		os.Exit(m.Run())
	}
	t := &testing.T{}
	set, err := dataset.Open(dir, &dataset.Options{Shape: dataset.Images})
	if err == nil {
		var l *photos.Library
		if l, err = photos.OpenLibrary(os.Getenv("GOCLIP_PHOTOS_OUT"), dir, model(t, 5), photos.LibraryOptions{}); err == nil {
			fmt.Println("open")
			_, err = l.Update(context.Background(), set, photos.UpdateOptions{Chunk: 3})
			if err == nil {
				err = l.Save()
			}
			if err == nil {
				err = l.Close()
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// TestKilled kills an update at random moments, again and again. Each time the library opens
// with whole photographs of the folder and no others, none that was there is lost, and the one
// that is left to end has what an undisturbed one has, to the last byte.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for seconds")
	}
	kills := 25
	if n, err := strconv.Atoi(os.Getenv("GOCLIP_KILLS")); err == nil {
		kills = n
	}
	m, dir := model(t, 5), album(t, 120)
	want := filepath.Join(t.TempDir(), "undisturbed")
	update(t, m, want, dir, photos.UpdateOptions{})
	whole, err := index.Open(want, m)
	check(t, err)
	defer whole.Close()
	rng := rand.New(rand.NewPCG(8, 8))
	path := filepath.Join(t.TempDir(), "photos.index")
	start := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "GOCLIP_PHOTOS_CHILD="+dir, "GOCLIP_PHOTOS_OUT="+path)
		cmd.Stderr = os.Stderr
		return cmd
	}
	began := time.Now()
	check(t, start().Run())
	took := time.Since(began)
	if !bytes.Equal(content(t, path), content(t, want)) {
		t.Fatal("a process of its own makes another library")
	}

	lost, partial := 0, 0
	before := 0
	for kill := range kills {
		if kill%8 == 0 { // from the beginning
			for _, p := range []string{path, photos.JournalPath(path), photos.ThumbsPath(path)} {
				check(t, os.RemoveAll(p))
			}
			before = 0
		}
		cmd := start()
		out, err := cmd.StdoutPipe()
		check(t, err)
		check(t, cmd.Start())
		if kill%2 == 0 {
			_, _ = out.Read(make([]byte, 4)) // it has begun
		}
		time.Sleep(time.Duration(rng.Int64N(int64(took) / 3)))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if _, err := os.Stat(path); err != nil {
			lost++
			continue
		}
		x, err := photos.Open(path, m)
		check(t, err)
		n := x.Len()
		if n < before {
			t.Fatalf("kill %d: %d photographs of %d are left", kill, n, before)
		}
		if before = n; n > 0 && n < whole.Len() {
			partial++
		}
		for e := range x.Entries() {
			if full, ok := whole.Get(e.Key); !ok || full != e {
				t.Fatalf("kill %d: %+v, want %+v", kill, e, full)
			}
		}
		check(t, x.Close())
	}
	t.Logf("of %d kills %d left a part of the photographs and %d nothing", kills, partial, lost)
	if partial == 0 {
		t.Error("no kill came in between: nothing was tested")
	}
	r := update(t, m, path, dir, photos.UpdateOptions{})
	if got := content(t, path); !bytes.Equal(got, content(t, want)) {
		t.Errorf("after all: %+v, and the library differs from an undisturbed one", r)
	}
	thumbs, err := photos.OpenThumbs(path)
	check(t, err)
	defer thumbs.Close()
	for e := range whole.Entries() {
		p, _ := photos.Parse(e.Meta)
		if _, err := thumbs.Get(p.SHA256); err != nil {
			t.Errorf("%s: thumbnail: %v", e.Key, err)
		}
	}
}
