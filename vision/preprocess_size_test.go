package vision

import (
	"image"
	"os"
	"testing"
)

func TestSizesThatCannotBe(t *testing.T) {
	for _, size := range [][2]int{{0, 0}, {0, 5}, {5, 0}, {-1, 5}, {1 << 21, 1}, {1 << 20, 1 << 20}} {
		p := CLIPPreprocess(4)
		p.Size = size
		if p.Validate() == nil {
			t.Errorf("Size %v is accepted", size)
		}
	}
}

// TestDraftSide: a draft keeps twice what an image is scaled to, and is never made where
// nobody asked for it or the size of the image counts.
func TestDraftSide(t *testing.T) {
	p := CLIPPreprocess(224)
	if got := p.DraftSide(); got != 0 {
		t.Errorf("the default drafts to %d, want 0", got)
	}
	p.Draft = true
	if got := p.DraftSide(); got != 448 {
		t.Errorf("drafts to %d, want 448", got)
	}
	p.Steps, p.Scale = StepsTransformers, [2]int{256, 0}
	if got := p.DraftSide(); got != 512 {
		t.Errorf("scaled to 256, drafts to %d, want 512", got)
	}
	p.Resize = ResizeNone
	if got := p.DraftSide(); got != 0 {
		t.Errorf("unscaled, drafts to %d, want 0", got)
	}
	p = CLIPPreprocess(8)
	p.Draft = true
	f, err := os.Open("../internal/pillow/jpeg/testdata/baseline420.jpg") // 51×37
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := Decode(f, &DecodeOptions{Draft: p.DraftSide()})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := img.Bounds().Size(), image.Pt(26, 19); got != want {
		t.Errorf("a draft of %v, want %v", got, want)
	}
}
