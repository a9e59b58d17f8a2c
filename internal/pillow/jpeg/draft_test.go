package jpeg

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"testing"
)

// TestDraft: at a half, a quarter and an eighth of the size, every pixel is the one of
// Pillow's draft mode, for each file in testdata (see draft.py there).
func TestDraft(t *testing.T) {
	lines := bufio.NewScanner(bytes.NewReader(testFile(t, "draft.txt")))
	n := 0
	for ; lines.Scan(); n++ {
		var name, want string
		var draft [2]int
		var size image.Point
		if _, err := fmt.Sscan(lines.Text(), &name, &draft[0], &draft[1], &size.X, &size.Y, &want); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		img, err := Decode(testFile(t, name), Options{Check: anySize, Draft: draft})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := img.Bounds().Size(); got != size {
			t.Errorf("%s for %v: size %v, want %v", name, draft, got, size)
			continue
		}
		sum := sha256.Sum256(raster(t, img))
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("%s for %v: pixels hash to %s, want %s", name, draft, got, want)
		}
	}
	if n != 3*13 {
		t.Errorf("%d drafts, want %d", n, 3*13)
	}
}
