// numbers.h: half and bfloat16 as cubecl's C++ uses them: stored in 16 bits, computed in f32, rounded to nearest
// even after every operation, as the device does.

template <typename Stored>
struct SixteenBits {
    unsigned short bits;

    SixteenBits() = default;
    SixteenBits(float x) : bits(Stored::round(x)) {}
    SixteenBits(double x) : bits(Stored::round(static_cast<float>(x))) {}
    template <typename T, typename = std::enable_if_t<std::is_integral_v<T>>>
    SixteenBits(T x) : bits(Stored::round(static_cast<float>(x))) {}
    operator float() const { return Stored::widen(bits); }

    SixteenBits& operator+=(SixteenBits x) { return *this = SixteenBits(float(*this) + float(x)); }
    SixteenBits& operator-=(SixteenBits x) { return *this = SixteenBits(float(*this) - float(x)); }
    SixteenBits& operator*=(SixteenBits x) { return *this = SixteenBits(float(*this) * float(x)); }
    SixteenBits& operator/=(SixteenBits x) { return *this = SixteenBits(float(*this) / float(x)); }
};

#define SIXTEEN_BITS(op)                                                                   \
    template <typename S>                                                                  \
    SixteenBits<S> operator op(SixteenBits<S> a, SixteenBits<S> b) {                       \
        return SixteenBits<S>(float(a) op float(b));                                       \
    }
SIXTEEN_BITS(+)
SIXTEEN_BITS(-)
SIXTEEN_BITS(*)
SIXTEEN_BITS(/)

struct StoredBfloat16 {
    static unsigned short round(float x) {
        const unsigned bits = bits_of(x);
        if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<unsigned short>((bits >> 16) | 0x40u);
        return static_cast<unsigned short>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
    }
    static float widen(unsigned short bits) { return float_of(static_cast<unsigned>(bits) << 16); }
};

struct StoredHalf {
    static unsigned short round(float x) {
        const _Float16 half = static_cast<_Float16>(x);
        unsigned short bits;
        memcpy(&bits, &half, sizeof bits);
        return bits;
    }
    static float widen(unsigned short bits) {
        _Float16 half;
        memcpy(&half, &bits, sizeof half);
        return static_cast<float>(half);
    }
};

typedef SixteenBits<StoredBfloat16> __nv_bfloat16;
typedef SixteenBits<StoredHalf> __half;

template <typename T>
struct Pair {
    T x, y;
};
template <typename T>
Pair<T> operator+(Pair<T> a, Pair<T> b) {
    return {a.x + b.x, a.y + b.y};
}
template <typename T>
Pair<T> operator-(Pair<T> a, Pair<T> b) {
    return {a.x - b.x, a.y - b.y};
}
template <typename T>
Pair<T> operator*(Pair<T> a, Pair<T> b) {
    return {a.x * b.x, a.y * b.y};
}
typedef Pair<__nv_bfloat16> __nv_bfloat162;
typedef Pair<__half> __half2;

#define ONE_ARGUMENT(name, function)                                                       \
    template <typename S>                                                                  \
    SixteenBits<S> name(SixteenBits<S> x) {                                                \
        return SixteenBits<S>(function(float(x)));                                         \
    }
ONE_ARGUMENT(hexp, expf)
ONE_ARGUMENT(hlog, logf)
ONE_ARGUMENT(hsin, sinf)
ONE_ARGUMENT(hcos, cosf)
ONE_ARGUMENT(hsqrt, sqrtf)
ONE_ARGUMENT(hrsqrt, rsqrtf)
ONE_ARGUMENT(hceil, ceilf)
ONE_ARGUMENT(hfloor, floorf)
ONE_ARGUMENT(htrunc, truncf)
ONE_ARGUMENT(hrint, rintf)
ONE_ARGUMENT(__habs, fabsf)

template <typename S>
SixteenBits<S> __hmax(SixteenBits<S> a, SixteenBits<S> b) {
    return SixteenBits<S>(fmaxf(float(a), float(b)));
}
template <typename S>
SixteenBits<S> __hmin(SixteenBits<S> a, SixteenBits<S> b) {
    return SixteenBits<S>(fminf(float(a), float(b)));
}
template <typename S>
SixteenBits<S> __hfma(SixteenBits<S> a, SixteenBits<S> b, SixteenBits<S> c) {
    return SixteenBits<S>(fmaf(float(a), float(b), float(c)));
}
template <typename S>
bool __hisnan(SixteenBits<S> x) {
    return std::isnan(float(x));
}
template <typename S>
bool __hisinf(SixteenBits<S> x) {
    return std::isinf(float(x));
}
