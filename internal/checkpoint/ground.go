package checkpoint

import (
	"image/color"
	"slices"
)

// ground reads the colour that transparent images are laid on, three numbers
// of 0 to 255; nil where the field is absent.
func (o *object) ground() color.Color {
	g := list[int](o, "ground")
	switch {
	case g == nil && !o.has("ground"):
		return nil
	case g == nil:
		raw, _ := o.take("ground")
		o.fail("%s is %s, want 3 numbers of 0 to 255", o.name("ground"), short(raw))
		return nil
	case len(g) != 3 || slices.Min(g) < 0 || slices.Max(g) > 255:
		o.fail("%s is %v, want 3 numbers of 0 to 255", o.name("ground"), g)
		return nil
	}
	return color.RGBA{uint8(g[0]), uint8(g[1]), uint8(g[2]), 255}
}

func formatGround(layout string, c color.Color) (rgb [3]uint8, err error) {
	r, g, b, _ := c.RGBA()
	for i, v := range []uint32{r, g, b} {
		if v%257 != 0 {
			return rgb, unwritable(layout, "a ground of 16-bit colour")
		}
		rgb[i] = uint8(v / 257)
	}
	return rgb, nil
}
