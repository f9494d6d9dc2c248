define noundef i32 @kernel(ptr noalias writeonly %retptr, ptr noalias readnone %excinfo, ptr readonly %arg.planes, ptr readonly %arg.rows, ptr readonly %arg.weights, ptr readonly %arg.sizes, ptr writeonly %arg.out) {
entry:
  %.21 = load i64, ptr %arg.sizes, align 8
  %.10341.not = icmp slt i64 %.21, 1
  br i1 %.10341.not, label %B152, label %B46.if.lr.ph

B46.if.lr.ph:                                     ; preds = %entry
  %.143 = getelementptr i8, ptr %arg.sizes, i64 8
  br label %B46.if

B46.loopexit:                                     ; preds = %B266.if.i, %B46.if
  %exitcond44.not = icmp eq i64 %.116, %.21
  br i1 %exitcond44.not, label %B152, label %B46.if

B152:                                             ; preds = %B46.loopexit, %entry
  store ptr null, ptr %retptr, align 8
  ret i32 0

B46.if:                                           ; preds = %B46.if.lr.ph, %B46.loopexit
  %.45.042 = phi i64 [ 0, %B46.if.lr.ph ], [ %.116, %B46.loopexit ]
  %.116 = add nuw nsw i64 %.45.042, 1
  %.141 = shl nsw i64 %.45.042, 2
  %.144 = load i64, ptr %.143, align 8
  %.25.i = or disjoint i64 %.141, 1
  %.37.i = or disjoint i64 %.141, 2
  %.43.i = or disjoint i64 %.141, 3
  %.55.i = getelementptr float, ptr %arg.weights, i64 %.141
  %.56.i = load float, ptr %.55.i, align 4, !noalias !0
  %.58.i = getelementptr float, ptr %arg.weights, i64 %.25.i
  %.59.i = load float, ptr %.58.i, align 4, !noalias !0
  %.61.i = getelementptr float, ptr %arg.weights, i64 %.37.i
  %.62.i = load float, ptr %.61.i, align 4, !noalias !0
  %.64.i = getelementptr float, ptr %arg.weights, i64 %.43.i
  %.65.i = load float, ptr %.64.i, align 4, !noalias !0
  %.162.i38.not = icmp slt i64 %.144, 1
  br i1 %.162.i38.not, label %B46.loopexit, label %B266.if.i.lr.ph

B266.if.i.lr.ph:                                  ; preds = %B46.if
  %.44.i = getelementptr i64, ptr %arg.rows, i64 %.43.i
  %.45.i = load i64, ptr %.44.i, align 8, !noalias !0
  %.46.i = mul nsw i64 %.45.i, %.144
  %.38.i = getelementptr i64, ptr %arg.rows, i64 %.37.i
  %.39.i = load i64, ptr %.38.i, align 8, !noalias !0
  %.40.i = mul nsw i64 %.39.i, %.144
  %.26.i = getelementptr i64, ptr %arg.rows, i64 %.25.i
  %.27.i = load i64, ptr %.26.i, align 8, !noalias !0
  %.28.i = mul nsw i64 %.27.i, %.144
  %.20.i = getelementptr i64, ptr %arg.rows, i64 %.141
  %.21.i = load i64, ptr %.20.i, align 8, !noalias !0
  %.22.i = mul nsw i64 %.21.i, %.144
  %.151 = mul nuw nsw i64 %.144, %.45.042
  %0 = getelementptr float, ptr %arg.planes, i64 %.22.i
  %1 = getelementptr float, ptr %arg.planes, i64 %.28.i
  %2 = getelementptr float, ptr %arg.planes, i64 %.40.i
  %3 = getelementptr float, ptr %arg.planes, i64 %.46.i
  %4 = getelementptr float, ptr %arg.out, i64 %.151
  br label %B266.if.i

B266.if.i:                                        ; preds = %B266.if.i.lr.ph, %B266.if.i
  %.104.i.040 = phi i64 [ 0, %B266.if.i.lr.ph ], [ %.175.i, %B266.if.i ]
  %.175.i = add nuw nsw i64 %.104.i.040, 1
  %.203.i = getelementptr float, ptr %0, i64 %.104.i.040
  %.204.i = load float, ptr %.203.i, align 4, !noalias !0
  %.208.i = getelementptr float, ptr %1, i64 %.104.i.040
  %.209.i = load float, ptr %.208.i, align 4, !noalias !0
  %.213.i = getelementptr float, ptr %2, i64 %.104.i.040
  %.214.i = load float, ptr %.213.i, align 4, !noalias !0
  %.218.i = getelementptr float, ptr %3, i64 %.104.i.040
  %.219.i = load float, ptr %.218.i, align 4, !noalias !0
  %.21.i35 = fmul float %.56.i, %.204.i
  %.23.i = fmul float %.59.i, %.209.i
  %.24.i = fadd float %.21.i35, %.23.i
  %.26.i36 = fmul float %.62.i, %.214.i
  %.27.i37 = fadd float %.24.i, %.26.i36
  %.33.i = fmul float %.65.i, %.219.i
  %.34.i = fadd float %.27.i37, %.33.i
  %.252.i = getelementptr float, ptr %4, i64 %.104.i.040
  store float %.34.i, ptr %.252.i, align 4, !noalias !0
  %exitcond.not = icmp eq i64 %.175.i, %.144
  br i1 %exitcond.not, label %B46.loopexit, label %B266.if.i
}

!0 = !{!1}
!1 = distinct !{!1, !2, !"numba"}
!2 = distinct !{!2, !"numba"}
