// fragments.h: matrices spread over a warp, as cubecl's products on tensor cores use them.
//
// Where a lane's numbers lie in the matrix is unspecified, and here it is the order of rows: what a program may
// rely on is that two fragments of one shape agree. Lanes wait for one another before a load or a store, as is
// documented, and after it. Operands of TF32 lose their lower bits. Sums run along k in f32.
// Source: CUDA C++ Programming Guide, "Warp Matrix Functions".

namespace nvcuda {
namespace wmma {

struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct row_major {};
struct col_major {};
namespace precision {
struct tf32 {};
}  // namespace precision
enum layout_t { mem_row_major, mem_col_major };

template <typename T>
struct Stored {
    typedef T type;
};
template <>
struct Stored<precision::tf32> {
    typedef float type;
};

template <typename Use, int M, int N, int K, typename T, typename Layout = void>
struct fragment {
    static constexpr int rows = std::is_same_v<Use, matrix_b> ? K : M;
    static constexpr int columns = std::is_same_v<Use, matrix_a> ? K : N;
    static constexpr int num_elements = rows * columns / 32;
    typedef typename Stored<T>::type Element;
    Element x[num_elements];
};

inline float __float_to_tf32(float x) {
    const unsigned bits = bits_of(x);
    if ((bits & 0x7f800000u) == 0x7f800000u) return x;
    return float_of((bits + 0x1000u) & ~0x1fffu);
}

// An operand as the tensor core sees it.
template <typename T>
float operand_of(typename Stored<T>::type x) {
    const float value = static_cast<float>(x);
    return std::is_same_v<T, precision::tf32> ? float_of(bits_of(value) & ~0x1fffu) : value;
}

inline void meet(int line) { emulator::wait(emulator::State::AtWarp, line, 0xffffffffu, nullptr, nullptr); }

inline unsigned lane() { return emulator::current % 32; }

template <typename Use, int M, int N, int K, typename T, typename L, typename V>
void fill_fragment(fragment<Use, M, N, K, T, L>& to, V value) {
    for (auto& x : to.x) x = static_cast<typename Stored<T>::type>(value);
}

template <typename F, typename P>
void load(F& to, const P* from, unsigned stride, bool by_rows, int line) {
    emulator::whole_warp("a load of a fragment");
    meet(line);
    for (int at = 0; at < F::num_elements; ++at) {
        const unsigned element = lane() * F::num_elements + at;
        const unsigned row = element / F::columns, column = element % F::columns;
        to.x[at] = by_rows ? from[row * stride + column] : from[column * stride + row];
    }
    meet(line);
}

template <typename Use, int M, int N, int K, typename T, typename L, typename P>
void load_matrix_sync(fragment<Use, M, N, K, T, L>& to, const P* from, unsigned stride, int line = __builtin_LINE()) {
    load(to, from, stride, std::is_same_v<L, row_major>, line);
}
template <int M, int N, int K, typename T, typename P>
void load_matrix_sync(fragment<accumulator, M, N, K, T>& to, const P* from, unsigned stride, layout_t layout,
                      int line = __builtin_LINE()) {
    load(to, from, stride, layout == mem_row_major, line);
}

template <int M, int N, int K, typename T, typename P>
void store_matrix_sync(P* to, const fragment<accumulator, M, N, K, T>& from, unsigned stride, layout_t layout,
                       int line = __builtin_LINE()) {
    emulator::whole_warp("a store of a fragment");
    meet(line);
    for (int at = 0; at < from.num_elements; ++at) {
        const unsigned element = lane() * from.num_elements + at;
        const unsigned row = element / N, column = element % N;
        (layout == mem_row_major ? to[row * stride + column] : to[column * stride + row]) = from.x[at];
    }
    meet(line);
}

template <int M, int N, int K, typename T, typename TA, typename LA, typename LB>
struct Product {
    fragment<accumulator, M, N, K, T>* d;
    const fragment<matrix_a, M, N, K, TA, LA>* a;
    const fragment<matrix_b, M, N, K, TA, LB>* b;
    const fragment<accumulator, M, N, K, T>* c;

    static Product& of(unsigned thread) { return *static_cast<Product*>(emulator::threads[thread].brings); }

    template <typename F>
    static float at(const F* Product::*which, unsigned warp, unsigned element) {
        const F* own = of(warp + element / F::num_elements).*which;
        return operand_of<TA>(own->x[element % F::num_elements]);
    }

    static void complete(unsigned thread) {
        Product& mine = of(thread);
        const unsigned warp = thread / 32 * 32, first = thread % 32 * mine.d->num_elements;
        for (int at_own = 0; at_own < mine.d->num_elements; ++at_own) {
            const unsigned row = (first + at_own) / N, column = (first + at_own) % N;
            float sum = static_cast<float>(mine.c->x[at_own]);
            for (unsigned k = 0; k < K; ++k)
                sum += at(&Product::a, warp, row * K + k) * at(&Product::b, warp, k * N + column);
            mine.d->x[at_own] = static_cast<T>(sum);
        }
    }
};

template <int M, int N, int K, typename T, typename TA, typename LA, typename LB>
void mma_sync(fragment<accumulator, M, N, K, T>& d, const fragment<matrix_a, M, N, K, TA, LA>& a,
              const fragment<matrix_b, M, N, K, TA, LB>& b, const fragment<accumulator, M, N, K, T>& c,
              int line = __builtin_LINE()) {
    emulator::whole_warp("a product of fragments");
    Product<M, N, K, T, TA, LA, LB> mine = {&d, &a, &b, &c};
    emulator::wait(emulator::State::AtWarp, line, 0xffffffffu, &mine, decltype(mine)::complete);
}

}  // namespace wmma
}  // namespace nvcuda
