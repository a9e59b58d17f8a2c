package vision

import "testing"

func TestSizesThatCannotBe(t *testing.T) {
	for _, size := range [][2]int{{0, 0}, {0, 5}, {5, 0}, {-1, 5}, {1 << 21, 1}, {1 << 20, 1 << 20}} {
		p := CLIPPreprocess(4)
		p.Size = size
		if p.Validate() == nil {
			t.Errorf("Size %v is accepted", size)
		}
	}
}
