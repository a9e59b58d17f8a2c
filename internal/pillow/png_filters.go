package pillow

import (
	"encoding/binary"
	"fmt"
)

// unfilter undoes the filter that row begins with, of pixels of size bytes. Behind both
// rows a byte more is allocated.
func unfilter(row, above []byte, size int) error {
	kind, cur, up := row[0], row[1:], above[1:len(row)]
	vector := hasAVX2 && (size == 3 || size == 4) && len(cur) >= size
	if vector {
		_, _ = cur[:len(cur)+1], up[:len(cur)+1]
	}
	switch kind {
	case 0:
	case 1:
		if vector {
			subAVX2(&cur[0], &up[0], len(cur)/size, size)
			return nil
		}
		unfilterSub(cur, size)
	case 2:
		unfilterUp(cur, up)
	case 3:
		if vector {
			averageAVX2(&cur[0], &up[0], len(cur)/size, size)
			return nil
		}
		unfilterAverage(cur, up, size)
	case 4:
		if vector {
			paethAVX2(&cur[0], &up[0], len(cur)/size, size)
			return nil
		}
		unfilterPaeth(cur, up, size)
	default:
		return fmt.Errorf("row filter %d", kind)
	}
	return nil
}

func unfilterSub(cur []byte, size int) {
	for i := size; i < len(cur); i++ {
		cur[i] += cur[i-size]
	}
}

// unfilterUp adds eight bytes at a time, whose carries must not meet.
func unfilterUp(cur, up []byte) {
	const high = 0x8080808080808080
	le := binary.LittleEndian
	for ; len(cur) >= 8 && len(up) >= 8; cur, up = cur[8:], up[8:] {
		a, b := le.Uint64(cur), le.Uint64(up)
		le.PutUint64(cur, (a&^high+b&^high)^(a^b)&high)
	}
	for i := range cur {
		cur[i] += up[i]
	}
}

func unfilterAverage(cur, up []byte, size int) {
	for i := range min(size, len(cur)) {
		cur[i] += up[i] / 2
	}
	for i := size; i < len(cur); i++ {
		cur[i] += uint8((int(cur[i-size]) + int(up[i])) / 2)
	}
}

func unfilterPaeth(cur, up []byte, size int) {
	for c := range min(size, len(cur)) {
		var left, corner int
		for i := c; i < len(cur); i += size {
			above := int(up[i])
			toLeft, toAbove := above-corner, left-corner
			toCorner := abs(toLeft + toAbove)
			toLeft, toAbove = abs(toLeft), abs(toAbove)
			best := corner
			if toLeft <= toAbove && toLeft <= toCorner {
				best = left
			} else if toAbove <= toCorner {
				best = above
			}
			left = int(cur[i] + uint8(best))
			cur[i] = uint8(left)
			corner = above
		}
	}
}

func abs(x int) int { return max(x, -x) }
