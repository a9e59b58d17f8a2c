package main

// adamW has one function, the step.
func adamW(f *file) {
	f.vector("AdamW", "one step", sign("p, g, m, v []float32, s AdamWScalars", ""), func(v *vec) {
		v.arg("p", "DI")
		v.arg("g", "SI")
		v.arg("m", "R8")
		v.arg("v", "R9")
		v.arg("p_len", "CX")
		s := map[string]string{}
		for i, field := range structureNamed("AdamWScalars").fields {
			s[field.name] = v.r(6 + i)
			v.scalar("s_"+field.name, s[field.name])
		}
		v.each(v.lanes(), func(k int) {
			g, m, vv, p := v.r(0), v.r(1), v.r(2), v.r(3)
			v.load("SI", k, g)
			v.op("VMULPS", s["Grad"], g, g)
			v.load("R8", k, m)
			v.op("VMULPS", s["Beta1"], m, m)
			v.op("VFMADD231PS", s["Rest1"], g, m)
			v.store(m, "R8", k)
			v.load("R9", k, vv)
			v.op("VMULPS", s["Beta2"], vv, vv)
			v.op("VMULPS", s["Rest2"], g, v.r(4))
			v.op("VFMADD231PS", v.r(4), g, vv)
			v.store(vv, "R9", k)
			v.op("VSQRTPS", vv, vv)
			v.op("VFMADD213PS", s["Eps"], s["Root"], vv)
			v.op("VMULPS", s["Rate"], m, m)
			v.op("VDIVPS", vv, m, m)
			v.load("DI", k, p)
			v.op("VMULPS", s["Decay"], p, p)
			v.op("VSUBPS", m, p, p)
			v.store(p, "DI", k)
		})
	})
}
