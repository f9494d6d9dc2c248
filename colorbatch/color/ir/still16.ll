define noundef i32 @kernel(ptr noalias writeonly %retptr, ptr noalias readnone %excinfo, ptr readonly %arg.grey, ptr readonly %arg.exact, ptr readonly %arg.wide, ptr readonly %arg.rows, ptr readonly %arg.weights, ptr readonly %arg.f_of, ptr readonly %arg.curves, ptr readonly %arg.numbers, ptr readonly %arg.sizes, ptr %arg.scratch, ptr writeonly %arg.out, ptr writeonly %arg.distances) {
entry:
  %.39 = load i64, ptr %arg.sizes, align 8
  %.40 = getelementptr i8, ptr %arg.sizes, i64 8
  %.41 = load i64, ptr %.40, align 8
  %.81 = getelementptr i8, ptr %arg.sizes, i64 40
  %.82 = load i64, ptr %.81, align 8
  %.90 = getelementptr i8, ptr %arg.numbers, i64 60
  %.91 = load float, ptr %.90, align 4
  %.93 = getelementptr i8, ptr %arg.numbers, i64 76
  %.94 = load float, ptr %.93, align 4
  %.102 = getelementptr i8, ptr %arg.numbers, i64 68
  %.103 = load float, ptr %.102, align 4
  %.105 = getelementptr i8, ptr %arg.numbers, i64 72
  %.106 = load float, ptr %.105, align 4
  %.108 = getelementptr i8, ptr %arg.numbers, i64 64
  %.109 = load float, ptr %.108, align 4
  %.120 = getelementptr i8, ptr %arg.numbers, i64 36
  %.121 = load float, ptr %.120, align 4
  %.124 = getelementptr i8, ptr %arg.numbers, i64 44
  %.125 = load float, ptr %.124, align 4
  %.136 = mul nsw i64 %.41, %.39
  %.222937 = icmp sgt i64 %.39, 0
  br i1 %.222937, label %B338.lr.ph, label %B1940

B338.lr.ph:                                       ; preds = %entry
  %.166.1940 = add nsw i64 %.39, -1
  %.79 = getelementptr i8, ptr %arg.sizes, i64 32
  %.80 = load i64, ptr %.79, align 8
  %.44 = getelementptr i8, ptr %arg.sizes, i64 24
  %.45 = load i64, ptr %.44, align 8
  %.42 = getelementptr i8, ptr %arg.sizes, i64 16
  %.43 = load i64, ptr %.42, align 8
  %0 = add nuw i64 %.41, 1023
  %.322 = lshr i64 %0, 10
  %.301.inv = icmp sgt i64 %.41, 0
  %storemerge512 = select i1 %.301.inv, i64 %.322, i64 0
  %.344934.not = icmp eq i64 %storemerge512, 0
  %.545 = mul i64 %.43, %.41
  %.591.not = icmp eq i64 %.80, 0
  %.20.i535 = getelementptr i8, ptr %arg.numbers, i64 4
  %.23.i537 = getelementptr i8, ptr %arg.numbers, i64 8
  %.38.i539 = getelementptr i8, ptr %arg.numbers, i64 12
  %.41.i = getelementptr i8, ptr %arg.numbers, i64 16
  %.44.i541 = getelementptr i8, ptr %arg.numbers, i64 20
  %.59.i543 = getelementptr i8, ptr %arg.numbers, i64 24
  %.62.i544 = getelementptr i8, ptr %arg.numbers, i64 28
  %.65.i545 = getelementptr i8, ptr %arg.numbers, i64 32
  %.80.i = icmp eq i64 %.45, 0
  %.1208.i = icmp eq i64 %.45, 3
  %.15.i = getelementptr i8, ptr %arg.numbers, i64 40
  %.32.i735 = getelementptr i8, ptr %arg.numbers, i64 48
  %.34.i737 = getelementptr i8, ptr %arg.numbers, i64 52
  %.36.i739 = getelementptr i8, ptr %arg.numbers, i64 56
  %1 = getelementptr i16, ptr %arg.out, i64 %.136
  %2 = getelementptr float, ptr %arg.distances, i64 %.136
  br label %B338

B334.loopexit:                                    ; preds = %B1941, %B338
  %.222 = icmp sgt i64 %.166.1942, 0
  %.235 = zext i1 %.222 to i64
  %.163.1 = add i64 %.163.1941, %.235
  %.231 = sext i1 %.222 to i64
  %.166.1 = add nsw i64 %.166.1942, %.231
  %.212.sroa.0.0 = select i1 %.222, i64 %.163.1941, i64 0
  br i1 %.222, label %B338, label %B1940

B338:                                             ; preds = %B338.lr.ph, %B334.loopexit
  %.212.sroa.0.0943 = phi i64 [ 0, %B338.lr.ph ], [ %.212.sroa.0.0, %B334.loopexit ]
  %.166.1942 = phi i64 [ %.166.1940, %B338.lr.ph ], [ %.166.1, %B334.loopexit ]
  %.163.1941 = phi i64 [ 1, %B338.lr.ph ], [ %.163.1, %B334.loopexit ]
  br i1 %.344934.not, label %B334.loopexit, label %B386.if.lr.ph

B386.if.lr.ph:                                    ; preds = %B338
  %.421 = mul nsw i64 %.212.sroa.0.0943, %.41
  %.549 = shl nsw i64 %.212.sroa.0.0943, 2
  %.20.i = getelementptr i64, ptr %arg.rows, i64 %.549
  %.25.i = or disjoint i64 %.549, 1
  %.26.i = getelementptr i64, ptr %arg.rows, i64 %.25.i
  %.37.i = or disjoint i64 %.549, 2
  %.38.i = getelementptr i64, ptr %arg.rows, i64 %.37.i
  %.43.i = or disjoint i64 %.549, 3
  %.44.i = getelementptr i64, ptr %arg.rows, i64 %.43.i
  %.55.i = getelementptr float, ptr %arg.weights, i64 %.549
  %.58.i = getelementptr float, ptr %arg.weights, i64 %.25.i
  %.61.i = getelementptr float, ptr %arg.weights, i64 %.37.i
  %.64.i = getelementptr float, ptr %arg.weights, i64 %.43.i
  br label %B386.if

B484.loopexit:                                    ; preds = %B266.if.i, %B484.if
  br i1 %exitcond.not, label %B588, label %B484.if

B588:                                             ; preds = %B484.loopexit
  %.353 = add nsw i64 %.290.0936, -1
  %.357 = add nuw i64 %.287.0935, 1024
  %.423 = add nsw i64 %.287.0935, %.421
  %.831880.not = icmp slt i64 %.387, 1
  br i1 %.591.not, label %B702, label %B592

B592:                                             ; preds = %B588
  br i1 %.831880.not, label %B818, label %B622.if.lr.ph

B622.if.lr.ph:                                    ; preds = %B592
  %3 = getelementptr float, ptr %arg.exact, i64 %.423
  br label %B622.if

B702:                                             ; preds = %B588
  br i1 %.831880.not, label %B818, label %B732.if.lr.ph

B732.if.lr.ph:                                    ; preds = %B702
  %4 = getelementptr i16, ptr %arg.grey, i64 %.423
  br label %B732.if

B818:                                             ; preds = %B622.if, %B732.if, %B592, %B702
  %storemerge515 = tail call i64 @llvm.smax.i64(i64 %.13.i, i64 0)
  %.964883.not = icmp slt i64 %.387, 1
  br i1 %.964883.not, label %B910, label %B848.if.lr.ph

B848.if.lr.ph:                                    ; preds = %B818
  %5 = getelementptr i16, ptr %arg.grey, i64 %.423
  br label %B848.if

B910:                                             ; preds = %B848.if, %B818
  %.18.i = load float, ptr %arg.numbers, align 4, !noalias !0
  %.21.i536 = load float, ptr %.20.i535, align 4, !noalias !0
  %.24.i538 = load float, ptr %.23.i537, align 4, !noalias !0
  %.39.i540 = load float, ptr %.38.i539, align 4, !noalias !0
  %.42.i = load float, ptr %.41.i, align 4, !noalias !0
  %.45.i542 = load float, ptr %.44.i541, align 4, !noalias !0
  %.60.i = load float, ptr %.59.i543, align 4, !noalias !0
  %.63.i = load float, ptr %.62.i544, align 4, !noalias !0
  %.66.i = load float, ptr %.65.i545, align 4, !noalias !0
  %.168.i547897.not = icmp slt i64 %.387, 1
  br i1 %.80.i, label %B324.i.preheader, label %B918.i.preheader

B918.i.preheader:                                 ; preds = %B910
  br i1 %.168.i547897.not, label %B1428.i.preheader, label %B918.if.i

B324.i.preheader:                                 ; preds = %B910
  br i1 %.168.i547897.not, label %B786.i.preheader, label %B324.if.i

B786.i.preheader:                                 ; preds = %B324.if.i, %B324.i.preheader
  %.609.i901.not = icmp slt i64 %.387, 1
  br label %B786.if.i

B786.i.loopexit:                                  ; preds = %B828.if.i, %B786.if.i
  %.490.i = icmp samesign ugt i64 %.437.i.0904, 1
  br i1 %.490.i, label %B786.if.i, label %_ZN10colorbatch5color7kernels7_valuesB2v9B54c8tJTIeFIjxB2IKSgI4CrvQCk0Z4yRYcWsBAw4hWqFpgsIBZmgA_3dE10float32_2ax10float32_2ax10float32_2a.exit

B1428.i.preheader:                                ; preds = %B918.if.i, %B918.i.preheader
  %.1312.i892.not = icmp slt i64 %.387, 1
  br label %B1428.if.i

B1428.i.loopexit:                                 ; preds = %B1528.if.i, %B1428.if.i
  %exitcond948.not = icmp eq i64 %.1179.i, 3
  br i1 %exitcond948.not, label %_ZN10colorbatch5color7kernels7_valuesB2v9B54c8tJTIeFIjxB2IKSgI4CrvQCk0Z4yRYcWsBAw4hWqFpgsIBZmgA_3dE10float32_2ax10float32_2ax10float32_2a.exit, label %B1428.if.i

B324.if.i:                                        ; preds = %B324.i.preheader, %B324.if.i
  %.110.i.0899 = phi i64 [ %.181.i, %B324.if.i ], [ 0, %B324.i.preheader ]
  %.113.i.0898 = phi i64 [ %.177.i, %B324.if.i ], [ %storemerge515, %B324.i.preheader ]
  %.177.i = add nsw i64 %.113.i.0898, -1
  %.181.i = add nuw nsw i64 %.110.i.0899, 1
  %.208.i548 = getelementptr float, ptr %arg.scratch, i64 %.110.i.0899
  %.209.i549 = load float, ptr %.208.i548, align 4, !noalias !0
  %.212.i = getelementptr i8, ptr %.208.i548, i64 4096
  %.213.i550 = load float, ptr %.212.i, align 4, !noalias !0
  %.214.i551 = fmul float %.213.i550, 0x3F60624DE0000000
  %.215.i = fadd float %.209.i549, %.214.i551
  %.12.i.i568 = fcmp ogt float %.215.i, 0x3FCA7B9620000000
  %arg.first.arg.second.i.i569 = select i1 %.12.i.i568, float %.215.i, float 0x3FCA7B9620000000
  %.31.i571 = fsub float %.215.i, %arg.first.arg.second.i.i569
  %.32.i572 = fmul float %.31.i571, 0x3FC07004E0000000
  %.33.i573 = fmul float %arg.first.arg.second.i.i569, %arg.first.arg.second.i.i569
  %.34.i574 = fmul float %arg.first.arg.second.i.i569, %.33.i573
  %.35.i575 = fadd float %.32.i572, %.34.i574
  %.12.i.i558 = fcmp ogt float %.209.i549, 0x3FCA7B9620000000
  %arg.first.arg.second.i.i559 = select i1 %.12.i.i558, float %.209.i549, float 0x3FCA7B9620000000
  %.31.i561 = fsub float %.209.i549, %arg.first.arg.second.i.i559
  %.32.i562 = fmul float %.31.i561, 0x3FC07004E0000000
  %.33.i563 = fmul float %arg.first.arg.second.i.i559, %arg.first.arg.second.i.i559
  %.34.i564 = fmul float %arg.first.arg.second.i.i559, %.33.i563
  %.35.i565 = fadd float %.32.i562, %.34.i564
  %.266.i = getelementptr i8, ptr %.208.i548, i64 8192
  %.267.i = load float, ptr %.266.i, align 4, !noalias !0
  %.268.i = fmul float %.267.i, 0x3F747AE140000000
  %6 = fsub float %.209.i549, %.268.i
  %.12.i.i = fcmp ogt float %6, 0x3FCA7B9620000000
  %arg.first.arg.second.i.i = select i1 %.12.i.i, float %6, float 0x3FCA7B9620000000
  %.31.i = fsub float %6, %arg.first.arg.second.i.i
  %.32.i553 = fmul float %.31.i, 0x3FC07004E0000000
  %.33.i554 = fmul float %arg.first.arg.second.i.i, %arg.first.arg.second.i.i
  %.34.i555 = fmul float %arg.first.arg.second.i.i, %.33.i554
  %.35.i = fadd float %.32.i553, %.34.i555
  %.17.i651 = fmul float %.18.i, %.35.i575
  %.19.i652 = fmul float %.21.i536, %.35.i565
  %.20.i653 = fadd float %.19.i652, %.17.i651
  %.25.i654 = fmul float %.24.i538, %.35.i
  %.26.i655 = fadd float %.20.i653, %.25.i654
  %.12.i.i656 = fcmp ogt float %.26.i655, 0.000000e+00
  %arg.first.arg.second.i.i657 = select i1 %.12.i.i656, float %.26.i655, float 0.000000e+00
  %.12.i2.i659 = fcmp olt float %arg.first.arg.second.i.i657, 1.000000e+00
  %arg.first.arg.second.i3.i660 = select i1 %.12.i2.i659, float %arg.first.arg.second.i.i657, float 1.000000e+00
  store float %arg.first.arg.second.i3.i660, ptr %.208.i548, align 4, !noalias !0
  %.17.i636 = fmul float %.39.i540, %.35.i575
  %.19.i637 = fmul float %.42.i, %.35.i565
  %.20.i638 = fadd float %.19.i637, %.17.i636
  %.25.i639 = fmul float %.45.i542, %.35.i
  %.26.i640 = fadd float %.20.i638, %.25.i639
  %.12.i.i641 = fcmp ogt float %.26.i640, 0.000000e+00
  %arg.first.arg.second.i.i642 = select i1 %.12.i.i641, float %.26.i640, float 0.000000e+00
  %.12.i2.i644 = fcmp olt float %arg.first.arg.second.i.i642, 1.000000e+00
  %arg.first.arg.second.i3.i645 = select i1 %.12.i2.i644, float %arg.first.arg.second.i.i642, float 1.000000e+00
  store float %arg.first.arg.second.i3.i645, ptr %.212.i, align 4, !noalias !0
  %.17.i = fmul float %.60.i, %.35.i575
  %.19.i623 = fmul float %.63.i, %.35.i565
  %.20.i624 = fadd float %.19.i623, %.17.i
  %.25.i625 = fmul float %.66.i, %.35.i
  %.26.i626 = fadd float %.20.i624, %.25.i625
  %.12.i.i627 = fcmp ogt float %.26.i626, 0.000000e+00
  %arg.first.arg.second.i.i628 = select i1 %.12.i.i627, float %.26.i626, float 0.000000e+00
  %.12.i2.i630 = fcmp olt float %arg.first.arg.second.i.i628, 1.000000e+00
  %arg.first.arg.second.i3.i631 = select i1 %.12.i2.i630, float %arg.first.arg.second.i.i628, float 1.000000e+00
  store float %arg.first.arg.second.i3.i631, ptr %.266.i, align 4, !noalias !0
  %.168.i547 = icmp sgt i64 %.113.i.0898, 1
  br i1 %.168.i547, label %B324.if.i, label %B786.i.preheader

B786.if.i:                                        ; preds = %B786.i.preheader, %B786.i.loopexit
  %.434.i.0905 = phi i64 [ 0, %B786.i.preheader ], [ %.503.i, %B786.i.loopexit ]
  %.437.i.0904 = phi i64 [ 3, %B786.i.preheader ], [ %.499.i, %B786.i.loopexit ]
  %.499.i = add nsw i64 %.437.i.0904, -1
  %.503.i = add nuw nsw i64 %.434.i.0905, 1024
  br i1 %.609.i901.not, label %B786.i.loopexit, label %B828.if.i

B828.if.i:                                        ; preds = %B786.if.i, %B828.if.i
  %.553.i.0903 = phi i64 [ %.622.i, %B828.if.i ], [ %.434.i.0905, %B786.if.i ]
  %.556.i.0902 = phi i64 [ %.618.i, %B828.if.i ], [ %storemerge515, %B786.if.i ]
  %.618.i = add nsw i64 %.556.i.0902, -1
  %.622.i = add nuw nsw i64 %.553.i.0903, 1
  %.648.i = getelementptr float, ptr %arg.scratch, i64 %.553.i.0903
  %.649.i = load float, ptr %.648.i, align 4, !noalias !0
  %.12.i.i610 = fcmp ogt float %.649.i, 0x3F69A5C380000000
  %arg.first.arg.second.i.i611 = select i1 %.12.i.i610, float %.649.i, float 0x3F69A5C380000000
  %.38.i618.le = tail call float @llvm.sqrt.f32(float %arg.first.arg.second.i.i611)
  %.12.i2.i = fcmp olt float %.649.i, 0x3F69A5C380000000
  %arg.first.arg.second.i3.i = select i1 %.12.i2.i, float %.649.i, float 0x3F69A5C380000000
  %.43.i613 = fmul float %.38.i618.le, 0x4032D984C0000000
  %.44.i614 = fadd float %.43.i613, 0x40329423A0000000
  %.45.i615 = fmul float %.38.i618.le, %.44.i614
  %.46.i616 = fadd float %.45.i615, 0x3FF99BD800000000
  %.47.i = fadd float %.38.i618.le, 0xBFACA5F1C0000000
  %.48.i = fmul float %.47.i, %.46.i616
  %.49.i = fmul float %.38.i618.le, 0x3FEE2FF120000000
  %.50.i = fadd float %.49.i, 0x4035953220000000
  %.51.i = fmul float %.38.i618.le, %.50.i
  %.52.i = fadd float %.51.i, 0x402DBE9E80000000
  %.53.i = fmul float %.38.i618.le, %.52.i
  %.54.i = fadd float %.53.i, 1.000000e+00
  %.58.i617 = fdiv float %.48.i, %.54.i
  %.83.i = fmul float %arg.first.arg.second.i3.i, 0x4029D70A40000000
  %.84.i = fadd float %.83.i, %.58.i617
  store float %.84.i, ptr %.648.i, align 4, !noalias !0
  %.609.i = icmp sgt i64 %.556.i.0902, 1
  br i1 %.609.i, label %B828.if.i, label %B786.i.loopexit

B918.if.i:                                        ; preds = %B918.i.preheader, %B918.if.i
  %.717.i.0891 = phi i64 [ %.786.i, %B918.if.i ], [ 0, %B918.i.preheader ]
  %.720.i.0890 = phi i64 [ %.782.i, %B918.if.i ], [ %storemerge515, %B918.i.preheader ]
  %.782.i = add nsw i64 %.720.i.0890, -1
  %.786.i = add nuw nsw i64 %.717.i.0891, 1
  %.813.i = getelementptr float, ptr %arg.scratch, i64 %.717.i.0891
  %.814.i = load float, ptr %.813.i, align 4, !noalias !0
  %.817.i = getelementptr i8, ptr %.813.i, i64 4096
  %.818.i = load float, ptr %.817.i, align 4, !noalias !0
  %.819.i = fmul float %.818.i, 0x3F60624DE0000000
  %.820.i = fadd float %.814.i, %.819.i
  %.12.i.i598 = fcmp ogt float %.820.i, 0x3FCA7B9620000000
  %arg.first.arg.second.i.i599 = select i1 %.12.i.i598, float %.820.i, float 0x3FCA7B9620000000
  %.31.i601 = fsub float %.820.i, %arg.first.arg.second.i.i599
  %.32.i602 = fmul float %.31.i601, 0x3FC07004E0000000
  %.33.i603 = fmul float %arg.first.arg.second.i.i599, %arg.first.arg.second.i.i599
  %.34.i604 = fmul float %arg.first.arg.second.i.i599, %.33.i603
  %.35.i605 = fadd float %.32.i602, %.34.i604
  %.12.i.i588 = fcmp ogt float %.814.i, 0x3FCA7B9620000000
  %arg.first.arg.second.i.i589 = select i1 %.12.i.i588, float %.814.i, float 0x3FCA7B9620000000
  %.31.i591 = fsub float %.814.i, %arg.first.arg.second.i.i589
  %.32.i592 = fmul float %.31.i591, 0x3FC07004E0000000
  %.33.i593 = fmul float %arg.first.arg.second.i.i589, %arg.first.arg.second.i.i589
  %.34.i594 = fmul float %arg.first.arg.second.i.i589, %.33.i593
  %.35.i595 = fadd float %.32.i592, %.34.i594
  %.871.i = getelementptr i8, ptr %.813.i, i64 8192
  %.872.i = load float, ptr %.871.i, align 4, !noalias !0
  %.873.i = fmul float %.872.i, 0x3F747AE140000000
  %7 = fsub float %.814.i, %.873.i
  %.12.i.i578 = fcmp ogt float %7, 0x3FCA7B9620000000
  %arg.first.arg.second.i.i579 = select i1 %.12.i.i578, float %7, float 0x3FCA7B9620000000
  %.31.i581 = fsub float %7, %arg.first.arg.second.i.i579
  %.32.i582 = fmul float %.31.i581, 0x3FC07004E0000000
  %.33.i583 = fmul float %arg.first.arg.second.i.i579, %arg.first.arg.second.i.i579
  %.34.i584 = fmul float %arg.first.arg.second.i.i579, %.33.i583
  %.35.i585 = fadd float %.32.i582, %.34.i584
  %.17.i696 = fmul float %.18.i, %.35.i605
  %.19.i697 = fmul float %.21.i536, %.35.i595
  %.20.i698 = fadd float %.19.i697, %.17.i696
  %.25.i699 = fmul float %.24.i538, %.35.i585
  %.26.i700 = fadd float %.20.i698, %.25.i699
  %.12.i.i701 = fcmp ogt float %.26.i700, 0.000000e+00
  %arg.first.arg.second.i.i702 = select i1 %.12.i.i701, float %.26.i700, float 0.000000e+00
  %.12.i2.i704 = fcmp olt float %arg.first.arg.second.i.i702, 1.000000e+00
  %arg.first.arg.second.i3.i705 = select i1 %.12.i2.i704, float %arg.first.arg.second.i.i702, float 1.000000e+00
  %.12.i726.le = tail call float @llvm.sqrt.f32(float %arg.first.arg.second.i3.i705)
  %.17.i723 = fmul float %.12.i726.le, 6.553500e+04
  %.18.i724 = fadd float %.17.i723, 5.000000e-01
  store float %.18.i724, ptr %.813.i, align 4, !noalias !0
  %.17.i681 = fmul float %.39.i540, %.35.i605
  %.19.i682 = fmul float %.42.i, %.35.i595
  %.20.i683 = fadd float %.19.i682, %.17.i681
  %.25.i684 = fmul float %.45.i542, %.35.i585
  %.26.i685 = fadd float %.20.i683, %.25.i684
  %.12.i.i686 = fcmp ogt float %.26.i685, 0.000000e+00
  %arg.first.arg.second.i.i687 = select i1 %.12.i.i686, float %.26.i685, float 0.000000e+00
  %.12.i2.i689 = fcmp olt float %arg.first.arg.second.i.i687, 1.000000e+00
  %arg.first.arg.second.i3.i690 = select i1 %.12.i2.i689, float %arg.first.arg.second.i.i687, float 1.000000e+00
  %.12.i718.le = tail call float @llvm.sqrt.f32(float %arg.first.arg.second.i3.i690)
  %.17.i715 = fmul float %.12.i718.le, 6.553500e+04
  %.18.i716 = fadd float %.17.i715, 5.000000e-01
  store float %.18.i716, ptr %.817.i, align 4, !noalias !0
  %.17.i666 = fmul float %.60.i, %.35.i605
  %.19.i667 = fmul float %.63.i, %.35.i595
  %.20.i668 = fadd float %.19.i667, %.17.i666
  %.25.i669 = fmul float %.66.i, %.35.i585
  %.26.i670 = fadd float %.20.i668, %.25.i669
  %.12.i.i671 = fcmp ogt float %.26.i670, 0.000000e+00
  %arg.first.arg.second.i.i672 = select i1 %.12.i.i671, float %.26.i670, float 0.000000e+00
  %.12.i2.i674 = fcmp olt float %arg.first.arg.second.i.i672, 1.000000e+00
  %arg.first.arg.second.i3.i675 = select i1 %.12.i2.i674, float %arg.first.arg.second.i.i672, float 1.000000e+00
  %.12.i711.le = tail call float @llvm.sqrt.f32(float %arg.first.arg.second.i3.i675)
  %.17.i708 = fmul float %.12.i711.le, 6.553500e+04
  %.18.i709 = fadd float %.17.i708, 5.000000e-01
  store float %.18.i709, ptr %.871.i, align 4, !noalias !0
  %.773.i = icmp sgt i64 %.720.i.0890, 1
  br i1 %.773.i, label %B918.if.i, label %B1428.i.preheader

B1428.if.i:                                       ; preds = %B1428.i.preheader, %B1428.i.loopexit
  %.1110.i.0895 = phi i64 [ 0, %B1428.i.preheader ], [ %.1179.i, %B1428.i.loopexit ]
  %.1179.i = add nuw nsw i64 %.1110.i.0895, 1
  br i1 %.1312.i892.not, label %B1428.i.loopexit, label %B1528.if.i.lr.ph

B1528.if.i.lr.ph:                                 ; preds = %B1428.if.i
  %.1226.i = shl nuw nsw i64 %.1110.i.0895, 10
  %.1211.i = shl nuw nsw i64 %.1110.i.0895, 16
  %"$phi1456.1.2.1.i" = select i1 %.1208.i, i64 %.1211.i, i64 0
  %8 = getelementptr float, ptr %arg.curves, i64 %"$phi1456.1.2.1.i"
  br label %B1528.if.i

B1528.if.i:                                       ; preds = %B1528.if.i.lr.ph, %B1528.if.i
  %.1259.i.0894 = phi i64 [ %storemerge515, %B1528.if.i.lr.ph ], [ %.1321.i, %B1528.if.i ]
  %.1256.i.0893 = phi i64 [ %.1226.i, %B1528.if.i.lr.ph ], [ %.1325.i, %B1528.if.i ]
  %.1321.i = add nsw i64 %.1259.i.0894, -1
  %.1325.i = add nuw nsw i64 %.1256.i.0893, 1
  %.1351.i = getelementptr float, ptr %arg.scratch, i64 %.1256.i.0893
  %.1352.i = load float, ptr %.1351.i, align 4, !noalias !0
  %.1353.i = fptosi float %.1352.i to i64
  %.1357.i = getelementptr float, ptr %8, i64 %.1353.i
  %.1358.i = load float, ptr %.1357.i, align 4, !noalias !0
  store float %.1358.i, ptr %.1351.i, align 4, !noalias !0
  %.1312.i = icmp sgt i64 %.1259.i.0894, 1
  br i1 %.1312.i, label %B1528.if.i, label %B1428.i.loopexit

_ZN10colorbatch5color7kernels7_valuesB2v9B54c8tJTIeFIjxB2IKSgI4CrvQCk0Z4yRYcWsBAw4hWqFpgsIBZmgA_3dE10float32_2ax10float32_2ax10float32_2a.exit: ; preds = %B1428.i.loopexit, %B786.i.loopexit
  %.13.i732 = load float, ptr %.120, align 4, !noalias !3
  %.16.i = load float, ptr %.15.i, align 4, !noalias !3
  %.19.i734 = load float, ptr %.124, align 4, !noalias !3
  %.33.i736 = load float, ptr %.32.i735, align 4, !noalias !3
  %.35.i738 = load float, ptr %.34.i737, align 4, !noalias !3
  %.37.i740 = load float, ptr %.36.i739, align 4, !noalias !3
  %.128.i906.not = icmp slt i64 %.387, 1
  br i1 %.128.i906.not, label %_ZN10colorbatch5color7kernels10_distancesB3v14B54c8tJTIeFIjxB2IKSgI4CrvQCk0Z4yRYcWsBAw4hWqFpgsIBZmgA_3dE10float32_2axx10float32_2a.exit, label %B200.if.i

B200.if.i:                                        ; preds = %_ZN10colorbatch5color7kernels7_valuesB2v9B54c8tJTIeFIjxB2IKSgI4CrvQCk0Z4yRYcWsBAw4hWqFpgsIBZmgA_3dE10float32_2ax10float32_2ax10float32_2a.exit, %B200.if.i
  %.70.i.0908 = phi i64 [ %.141.i, %B200.if.i ], [ 0, %_ZN10colorbatch5color7kernels7_valuesB2v9B54c8tJTIeFIjxB2IKSgI4CrvQCk0Z4yRYcWsBAw4hWqFpgsIBZmgA_3dE10float32_2ax10float32_2ax10float32_2a.exit ]
  %.73.i728.0907 = phi i64 [ %.137.i, %B200.if.i ], [ %storemerge515, %_ZN10colorbatch5color7kernels7_valuesB2v9B54c8tJTIeFIjxB2IKSgI4CrvQCk0Z4yRYcWsBAw4hWqFpgsIBZmgA_3dE10float32_2ax10float32_2ax10float32_2a.exit ]
  %.137.i = add nsw i64 %.73.i728.0907, -1
  %.141.i = add nuw nsw i64 %.70.i.0908, 1
  %.168.i743 = getelementptr float, ptr %arg.scratch, i64 %.70.i.0908
  %.169.i = load float, ptr %.168.i743, align 4, !noalias !3
  %.172.i = getelementptr i8, ptr %.168.i743, i64 4096
  %.173.i = load float, ptr %.172.i, align 4, !noalias !3
  %.176.i = getelementptr i8, ptr %.168.i743, i64 8192
  %.177.i744 = load float, ptr %.176.i, align 4, !noalias !3
  %.17.i753 = fmul float %.13.i732, %.169.i
  %.19.i754 = fmul float %.16.i, %.173.i
  %.20.i755 = fadd float %.17.i753, %.19.i754
  %.25.i756 = fmul float %.19.i734, %.177.i744
  %.26.i757 = fadd float %.20.i755, %.25.i756
  %.208.i745 = getelementptr i8, ptr %.168.i743, i64 12288
  %.209.i746 = load float, ptr %.208.i745, align 4, !noalias !3
  %.211.i = fsub float %.209.i746, %.33.i736
  %.218.i749 = fsub float %.35.i738, %.209.i746
  %.12.i23.i = fcmp olt float %.169.i, %.173.i
  %arg.first.arg.second.i24.i = select i1 %.12.i23.i, float %.169.i, float %.173.i
  %.12.i21.i = fcmp olt float %arg.first.arg.second.i24.i, %.177.i744
  %arg.first.arg.second.i22.i = select i1 %.12.i21.i, float %arg.first.arg.second.i24.i, float %.177.i744
  %.65.i772 = fsub float %.26.i757, %arg.first.arg.second.i22.i
  %.12.i15.i = fcmp ogt float %.65.i772, 0x3E112E0BE0000000
  %arg.first.arg.second.i16.i = select i1 %.12.i15.i, float %.65.i772, float 0x3E112E0BE0000000
  %.12.i13.i = fcmp ogt float %.169.i, %.173.i
  %arg.first.arg.second.i14.i = select i1 %.12.i13.i, float %.169.i, float %.173.i
  %.12.i11.i = fcmp ogt float %arg.first.arg.second.i14.i, %.177.i744
  %arg.first.arg.second.i12.i = select i1 %.12.i11.i, float %arg.first.arg.second.i14.i, float %.177.i744
  %.138.i = fsub float %arg.first.arg.second.i12.i, %.26.i757
  %.12.i9.i = fcmp ogt float %.138.i, 0x3E112E0BE0000000
  %arg.first.arg.second.i10.i = select i1 %.12.i9.i, float %.138.i, float 0x3E112E0BE0000000
  %.164.i = fmul float %.211.i, %arg.first.arg.second.i10.i
  %.168.i776 = fmul float %.218.i749, %arg.first.arg.second.i16.i
  %.12.i19.i = fcmp olt float %.164.i, %.168.i776
  %arg.first.arg.second.i20.i = select i1 %.12.i19.i, float %.164.i, float %.168.i776
  %.193.i = fmul float %arg.first.arg.second.i16.i, %arg.first.arg.second.i10.i
  %.197.i = fdiv float %arg.first.arg.second.i20.i, %.193.i
  %.12.i17.i = fcmp olt float %.197.i, %.37.i740
  %arg.first.arg.second.i18.i = select i1 %.12.i17.i, float %.197.i, float %.37.i740
  %.12.i.i778 = fcmp ogt float %arg.first.arg.second.i18.i, 0.000000e+00
  %arg.first.arg.second.i.i779 = select i1 %.12.i.i778, float %arg.first.arg.second.i18.i, float 0.000000e+00
  %.252.i752 = fsub float %.169.i, %.26.i757
  %.253.i = fmul float %.252.i752, %arg.first.arg.second.i.i779
  store float %.253.i, ptr %.168.i743, align 4, !noalias !3
  %.258.i = fsub float %.177.i744, %.26.i757
  %.259.i = fmul float %.258.i, %arg.first.arg.second.i.i779
  store float %.259.i, ptr %.176.i, align 4, !noalias !3
  %.128.i = icmp sgt i64 %.73.i728.0907, 1
  br i1 %.128.i, label %B200.if.i, label %_ZN10colorbatch5color7kernels10_distancesB3v14B54c8tJTIeFIjxB2IKSgI4CrvQCk0Z4yRYcWsBAw4hWqFpgsIBZmgA_3dE10float32_2axx10float32_2a.exit

_ZN10colorbatch5color7kernels10_distancesB3v14B54c8tJTIeFIjxB2IKSgI4CrvQCk0Z4yRYcWsBAw4hWqFpgsIBZmgA_3dE10float32_2axx10float32_2a.exit: ; preds = %B200.if.i, %_ZN10colorbatch5color7kernels7_valuesB2v9B54c8tJTIeFIjxB2IKSgI4CrvQCk0Z4yRYcWsBAw4hWqFpgsIBZmgA_3dE10float32_2ax10float32_2ax10float32_2a.exit
  %.2016928.not = icmp slt i64 %.387, 1
  switch i64 %.82, label %B1796.preheader [
    i64 1, label %B1046.preheader
    i64 0, label %B1318.preheader
  ]

B1318.preheader:                                  ; preds = %_ZN10colorbatch5color7kernels10_distancesB3v14B54c8tJTIeFIjxB2IKSgI4CrvQCk0Z4yRYcWsBAw4hWqFpgsIBZmgA_3dE10float32_2axx10float32_2a.exit
  br i1 %.2016928.not, label %B1658.preheader, label %B1318.if

B1046.preheader:                                  ; preds = %_ZN10colorbatch5color7kernels10_distancesB3v14B54c8tJTIeFIjxB2IKSgI4CrvQCk0Z4yRYcWsBAw4hWqFpgsIBZmgA_3dE10float32_2axx10float32_2a.exit
  br i1 %.2016928.not, label %B1166.preheader, label %B1046.if.lr.ph

B1046.if.lr.ph:                                   ; preds = %B1046.preheader
  %9 = getelementptr i16, ptr %arg.out, i64 %.423
  br label %B1046.if

B1796.preheader:                                  ; preds = %_ZN10colorbatch5color7kernels10_distancesB3v14B54c8tJTIeFIjxB2IKSgI4CrvQCk0Z4yRYcWsBAw4hWqFpgsIBZmgA_3dE10float32_2axx10float32_2a.exit
  br i1 %.2016928.not, label %B1876.preheader, label %B1796.if.lr.ph

B1796.if.lr.ph:                                   ; preds = %B1796.preheader
  %10 = getelementptr float, ptr %arg.distances, i64 %.423
  br label %B1796.if

B1166.preheader:                                  ; preds = %B1046.if, %B1046.preheader
  %.1323925.not = icmp slt i64 %.387, 1
  br i1 %.1323925.not, label %B1941, label %B1166.if.lr.ph

B1166.if.lr.ph:                                   ; preds = %B1166.preheader
  %11 = getelementptr i16, ptr %1, i64 %.423
  br label %B1166.if

B1658.preheader:                                  ; preds = %B1318.if, %B1318.preheader
  %invariant.gep = getelementptr i16, ptr %arg.out, i64 %.423
  %.1865915.not = icmp slt i64 %.387, 1
  br label %B1658.if

B1658.loopexit:                                   ; preds = %B1692.if, %B1658.if
  %exitcond949.not = icmp eq i64 %.1757, 3
  br i1 %exitcond949.not, label %B1941, label %B1658.if

B1876.preheader:                                  ; preds = %B1796.if, %B1796.preheader
  %.2150931.not = icmp slt i64 %.387, 1
  br i1 %.2150931.not, label %B1941, label %B1876.if.lr.ph

B1876.if.lr.ph:                                   ; preds = %B1876.preheader
  %12 = getelementptr float, ptr %2, i64 %.423
  br label %B1876.if

B1940:                                            ; preds = %B334.loopexit, %entry
  store ptr null, ptr %retptr, align 8
  ret i32 0

B1941:                                            ; preds = %B1658.loopexit, %B1166.if, %B1876.if, %B1166.preheader, %B1876.preheader
  %.344 = icmp sgt i64 %.290.0936, 1
  br i1 %.344, label %B386.if, label %B334.loopexit

B386.if:                                          ; preds = %B386.if.lr.ph, %B1941
  %.290.0936 = phi i64 [ %storemerge512, %B386.if.lr.ph ], [ %.353, %B1941 ]
  %.287.0935 = phi i64 [ 0, %B386.if.lr.ph ], [ %.357, %B1941 ]
  %.387 = sub nsw i64 %.41, %.287.0935
  %.13.i = tail call i64 @llvm.smin.i64(i64 %.387, i64 1024)
  %storemerge.i = tail call i64 @llvm.smax.i64(i64 %.13.i, i64 0)
  %.162.i872.not = icmp slt i64 %.387, 1
  br label %B484.if

B484.if:                                          ; preds = %B386.if, %B484.loopexit
  %exitcond.not = phi i1 [ false, %B386.if ], [ true, %B484.loopexit ]
  %.450.0875 = phi i64 [ 0, %B386.if ], [ 1, %B484.loopexit ]
  %.56.i = load float, ptr %.55.i, align 4, !noalias !6
  %.59.i = load float, ptr %.58.i, align 4, !noalias !6
  %.62.i = load float, ptr %.61.i, align 4, !noalias !6
  %.65.i = load float, ptr %.64.i, align 4, !noalias !6
  br i1 %.162.i872.not, label %B484.loopexit, label %B266.if.i.lr.ph

B266.if.i.lr.ph:                                  ; preds = %B484.if
  %.45.i = load i64, ptr %.44.i, align 8, !noalias !6
  %.46.i = mul nsw i64 %.45.i, %.41
  %.39.i = load i64, ptr %.38.i, align 8, !noalias !6
  %.40.i = mul nsw i64 %.39.i, %.41
  %.27.i = load i64, ptr %.26.i, align 8, !noalias !6
  %.28.i = mul nsw i64 %.27.i, %.41
  %.21.i = load i64, ptr %.20.i, align 8, !noalias !6
  %.22.i = mul nsw i64 %.21.i, %.41
  %.547 = mul nuw nsw i64 %.545, %.450.0875
  %13 = getelementptr float, ptr %arg.wide, i64 %.547
  %14 = getelementptr float, ptr %13, i64 %.22.i
  %15 = getelementptr float, ptr %14, i64 %.287.0935
  %16 = getelementptr float, ptr %13, i64 %.28.i
  %17 = getelementptr float, ptr %16, i64 %.287.0935
  %18 = getelementptr float, ptr %13, i64 %.40.i
  %19 = getelementptr float, ptr %18, i64 %.287.0935
  %20 = getelementptr float, ptr %13, i64 %.46.i
  %21 = getelementptr float, ptr %20, i64 %.287.0935
  %.idx867 = shl nuw nsw i64 %.450.0875, 12
  %22 = getelementptr i8, ptr %arg.scratch, i64 %.idx867
  %23 = getelementptr i8, ptr %22, i64 4096
  br label %B266.if.i

B266.if.i:                                        ; preds = %B266.if.i.lr.ph, %B266.if.i
  %.107.i.0874 = phi i64 [ %storemerge.i, %B266.if.i.lr.ph ], [ %.171.i, %B266.if.i ]
  %.104.i.0873 = phi i64 [ 0, %B266.if.i.lr.ph ], [ %.175.i, %B266.if.i ]
  %.171.i = add nsw i64 %.107.i.0874, -1
  %.175.i = add nuw nsw i64 %.104.i.0873, 1
  %.203.i = getelementptr float, ptr %15, i64 %.104.i.0873
  %.204.i = load float, ptr %.203.i, align 4, !noalias !6
  %.208.i = getelementptr float, ptr %17, i64 %.104.i.0873
  %.209.i = load float, ptr %.208.i, align 4, !noalias !6
  %.213.i = getelementptr float, ptr %19, i64 %.104.i.0873
  %.214.i = load float, ptr %.213.i, align 4, !noalias !6
  %.218.i = getelementptr float, ptr %21, i64 %.104.i.0873
  %.219.i = load float, ptr %.218.i, align 4, !noalias !6
  %.21.i525 = fmul float %.56.i, %.204.i
  %.23.i = fmul float %.59.i, %.209.i
  %.24.i = fadd float %.21.i525, %.23.i
  %.26.i526 = fmul float %.62.i, %.214.i
  %.27.i527 = fadd float %.24.i, %.26.i526
  %.33.i = fmul float %.65.i, %.219.i
  %.34.i = fadd float %.27.i527, %.33.i
  %.252.i = getelementptr float, ptr %23, i64 %.104.i.0873
  store float %.34.i, ptr %.252.i, align 4, !noalias !6
  %.162.i = icmp sgt i64 %.107.i.0874, 1
  br i1 %.162.i, label %B266.if.i, label %B484.loopexit

B622.if:                                          ; preds = %B622.if.lr.ph, %B622.if
  %.620.0879 = phi i64 [ %.13.i, %B622.if.lr.ph ], [ %.682, %B622.if ]
  %.617.0878 = phi i64 [ 0, %B622.if.lr.ph ], [ %.686, %B622.if ]
  %.682 = add nsw i64 %.620.0879, -1
  %.686 = add nuw nsw i64 %.617.0878, 1
  %.714 = getelementptr float, ptr %3, i64 %.617.0878
  %.715 = load float, ptr %.714, align 4
  %.12.i = fcmp ogt float %.715, 0.000000e+00
  %arg.first.arg.second.i = select i1 %.12.i, float %.715, float 0.000000e+00
  %.12.i531 = fcmp olt float %arg.first.arg.second.i, %.91
  %arg.first.arg.second.i532 = select i1 %.12.i531, float %arg.first.arg.second.i, float %.91
  %24 = getelementptr float, ptr %arg.scratch, i64 %.617.0878
  %.743 = getelementptr i8, ptr %24, i64 12288
  store float %arg.first.arg.second.i532, ptr %.743, align 4
  %.673 = icmp sgt i64 %.620.0879, 1
  br i1 %.673, label %B622.if, label %B818

B732.if:                                          ; preds = %B732.if.lr.ph, %B732.if
  %.778.0882 = phi i64 [ %.13.i, %B732.if.lr.ph ], [ %.840, %B732.if ]
  %.775.0881 = phi i64 [ 0, %B732.if.lr.ph ], [ %.844, %B732.if ]
  %.840 = add nsw i64 %.778.0882, -1
  %.844 = add nuw nsw i64 %.775.0881, 1
  %.872 = getelementptr i16, ptr %4, i64 %.775.0881
  %.873 = load i16, ptr %.872, align 2
  %.874 = uitofp i16 %.873 to float
  %25 = getelementptr float, ptr %arg.scratch, i64 %.775.0881
  %.877 = getelementptr i8, ptr %25, i64 12288
  store float %.874, ptr %.877, align 4
  %.831 = icmp sgt i64 %.778.0882, 1
  br i1 %.831, label %B732.if, label %B818

B848.if:                                          ; preds = %B848.if.lr.ph, %B848.if
  %.911.0885 = phi i64 [ %storemerge515, %B848.if.lr.ph ], [ %.973, %B848.if ]
  %.908.0884 = phi i64 [ 0, %B848.if.lr.ph ], [ %.977, %B848.if ]
  %.973 = add nsw i64 %.911.0885, -1
  %.977 = add nuw nsw i64 %.908.0884, 1
  %.1005 = getelementptr i16, ptr %5, i64 %.908.0884
  %.1006 = load i16, ptr %.1005, align 2
  %.1008 = zext i16 %.1006 to i64
  %.1009 = getelementptr float, ptr %arg.f_of, i64 %.1008
  %.1010 = load float, ptr %.1009, align 4
  %.1013 = getelementptr float, ptr %arg.scratch, i64 %.908.0884
  store float %.1010, ptr %.1013, align 4
  %.964 = icmp sgt i64 %.911.0885, 1
  br i1 %.964, label %B848.if, label %B910

B1046.if:                                         ; preds = %B1046.if.lr.ph, %B1046.if
  %.1106.0923 = phi i64 [ %storemerge515, %B1046.if.lr.ph ], [ %.1168, %B1046.if ]
  %.1103.0922 = phi i64 [ 0, %B1046.if.lr.ph ], [ %.1172, %B1046.if ]
  %.1168 = add nsw i64 %.1106.0923, -1
  %.1172 = add nuw nsw i64 %.1103.0922, 1
  %26 = getelementptr float, ptr %arg.scratch, i64 %.1103.0922
  %.1199 = getelementptr i8, ptr %26, i64 8192
  %.1200 = load float, ptr %.1199, align 4
  %.1202 = fmul float %.103, %.1200
  %.1204 = fadd float %.94, %.1202
  %.6.i783 = fadd float %.1204, 5.000000e-01
  %.12.i.i784 = fcmp ogt float %.6.i783, 0.000000e+00
  %arg.first.arg.second.i.i785 = select i1 %.12.i.i784, float %.6.i783, float 0.000000e+00
  %.12.i2.i787 = fcmp olt float %arg.first.arg.second.i.i785, %.91
  %arg.first.arg.second.i3.i788 = select i1 %.12.i2.i787, float %arg.first.arg.second.i.i785, float %.91
  %.64.i793.le = tail call float @llvm.floor.f32(float %arg.first.arg.second.i3.i788)
  %.1233 = fptoui float %.64.i793.le to i16
  %.1234 = getelementptr i16, ptr %9, i64 %.1103.0922
  store i16 %.1233, ptr %.1234, align 2
  %.1159 = icmp sgt i64 %.1106.0923, 1
  br i1 %.1159, label %B1046.if, label %B1166.preheader

B1166.if:                                         ; preds = %B1166.if.lr.ph, %B1166.if
  %.1270.0927 = phi i64 [ %storemerge515, %B1166.if.lr.ph ], [ %.1332, %B1166.if ]
  %.1267.0926 = phi i64 [ 0, %B1166.if.lr.ph ], [ %.1336, %B1166.if ]
  %.1332 = add nsw i64 %.1270.0927, -1
  %.1336 = add nuw nsw i64 %.1267.0926, 1
  %.1363 = getelementptr float, ptr %arg.scratch, i64 %.1267.0926
  %.1364 = load float, ptr %.1363, align 4
  %.1366 = fmul float %.106, %.1364
  %.1368 = fadd float %.94, %.1366
  %.6.i798 = fadd float %.1368, 5.000000e-01
  %.12.i.i799 = fcmp ogt float %.6.i798, 0.000000e+00
  %arg.first.arg.second.i.i800 = select i1 %.12.i.i799, float %.6.i798, float 0.000000e+00
  %.12.i2.i802 = fcmp olt float %arg.first.arg.second.i.i800, %.91
  %arg.first.arg.second.i3.i803 = select i1 %.12.i2.i802, float %arg.first.arg.second.i.i800, float %.91
  %.64.i809.le = tail call float @llvm.floor.f32(float %arg.first.arg.second.i3.i803)
  %.1399 = fptoui float %.64.i809.le to i16
  %.1400 = getelementptr i16, ptr %11, i64 %.1267.0926
  store i16 %.1399, ptr %.1400, align 2
  %.1323 = icmp sgt i64 %.1270.0927, 1
  br i1 %.1323, label %B1166.if, label %B1941

B1318.if:                                         ; preds = %B1318.preheader, %B1318.if
  %.1440.0914 = phi i64 [ %.1502, %B1318.if ], [ %storemerge515, %B1318.preheader ]
  %.1437.0913 = phi i64 [ %.1506, %B1318.if ], [ 0, %B1318.preheader ]
  %.1502 = add nsw i64 %.1440.0914, -1
  %.1506 = add nuw nsw i64 %.1437.0913, 1
  %27 = getelementptr float, ptr %arg.scratch, i64 %.1437.0913
  %.1533 = getelementptr i8, ptr %27, i64 12288
  %.1534 = load float, ptr %.1533, align 4
  %.1538 = load float, ptr %27, align 4
  %.1539 = fadd float %.1534, %.1538
  %.6.i815 = fadd float %.1539, 5.000000e-01
  %.12.i.i816 = fcmp ogt float %.6.i815, 0.000000e+00
  %arg.first.arg.second.i.i817 = select i1 %.12.i.i816, float %.6.i815, float 0.000000e+00
  %.12.i2.i819 = fcmp olt float %arg.first.arg.second.i.i817, %.91
  %arg.first.arg.second.i3.i820 = select i1 %.12.i2.i819, float %arg.first.arg.second.i.i817, float %.91
  %.64.i826.le = tail call float @llvm.floor.f32(float %arg.first.arg.second.i3.i820)
  %.1567 = getelementptr i8, ptr %27, i64 8192
  %.1568 = load float, ptr %.1567, align 4
  %.1569 = fadd float %.1534, %.1568
  %.6.i832 = fadd float %.1569, 5.000000e-01
  %.12.i.i833 = fcmp ogt float %.6.i832, 0.000000e+00
  %arg.first.arg.second.i.i834 = select i1 %.12.i.i833, float %.6.i832, float 0.000000e+00
  %.12.i2.i836 = fcmp olt float %arg.first.arg.second.i.i834, %.91
  %arg.first.arg.second.i3.i837 = select i1 %.12.i2.i836, float %arg.first.arg.second.i.i834, float %.91
  %.64.i843.le = tail call float @llvm.floor.f32(float %arg.first.arg.second.i3.i837)
  %.15.i862 = fmul float %.121, %.64.i826.le
  %.16.i863 = fsub float %.1534, %.15.i862
  %.20.i864 = fmul float %.125, %.64.i843.le
  %.21.i865 = fsub float %.16.i863, %.20.i864
  %.22.i866 = fmul float %.109, %.21.i865
  %.6.i849 = fadd float %.22.i866, 5.000000e-01
  %.12.i.i850 = fcmp ogt float %.6.i849, 0.000000e+00
  %arg.first.arg.second.i.i851 = select i1 %.12.i.i850, float %.6.i849, float 0.000000e+00
  %.12.i2.i853 = fcmp olt float %arg.first.arg.second.i.i851, %.91
  %arg.first.arg.second.i3.i854 = select i1 %.12.i2.i853, float %arg.first.arg.second.i.i851, float %.91
  %.64.i860.le = tail call float @llvm.floor.f32(float %arg.first.arg.second.i3.i854)
  %.1650 = getelementptr i8, ptr %27, i64 4096
  store float %.64.i860.le, ptr %.1650, align 4
  store float %.64.i826.le, ptr %27, align 4
  store float %.64.i843.le, ptr %.1567, align 4
  %.1493 = icmp sgt i64 %.1440.0914, 1
  br i1 %.1493, label %B1318.if, label %B1658.preheader

B1658.if:                                         ; preds = %B1658.preheader, %B1658.loopexit
  %.1688.0918 = phi i64 [ 0, %B1658.preheader ], [ %.1757, %B1658.loopexit ]
  %.1757 = add nuw nsw i64 %.1688.0918, 1
  br i1 %.1865915.not, label %B1658.loopexit, label %B1692.if.lr.ph

B1692.if.lr.ph:                                   ; preds = %B1658.if
  %.idx = shl nuw nsw i64 %.1688.0918, 12
  %28 = getelementptr i8, ptr %arg.scratch, i64 %.idx
  %.1911 = mul nsw i64 %.1688.0918, %.136
  %gep = getelementptr i16, ptr %invariant.gep, i64 %.1911
  br label %B1692.if

B1692.if:                                         ; preds = %B1692.if.lr.ph, %B1692.if
  %.1812.0917 = phi i64 [ %storemerge515, %B1692.if.lr.ph ], [ %.1874, %B1692.if ]
  %.1809.0916 = phi i64 [ 0, %B1692.if.lr.ph ], [ %.1878, %B1692.if ]
  %.1874 = add nsw i64 %.1812.0917, -1
  %.1878 = add nuw nsw i64 %.1809.0916, 1
  %.1907 = getelementptr float, ptr %28, i64 %.1809.0916
  %.1908 = load float, ptr %.1907, align 4
  %.1916 = fptoui float %.1908 to i16
  %.1917 = getelementptr i16, ptr %gep, i64 %.1809.0916
  store i16 %.1916, ptr %.1917, align 2
  %.1865 = icmp sgt i64 %.1812.0917, 1
  br i1 %.1865, label %B1692.if, label %B1658.loopexit

B1796.if:                                         ; preds = %B1796.if.lr.ph, %B1796.if
  %.1963.0930 = phi i64 [ %storemerge515, %B1796.if.lr.ph ], [ %.2025, %B1796.if ]
  %.1960.0929 = phi i64 [ 0, %B1796.if.lr.ph ], [ %.2029, %B1796.if ]
  %.2025 = add nsw i64 %.1963.0930, -1
  %.2029 = add nuw nsw i64 %.1960.0929, 1
  %.2056 = getelementptr float, ptr %arg.scratch, i64 %.1960.0929
  %.2057 = load float, ptr %.2056, align 4
  %.2061 = getelementptr float, ptr %10, i64 %.1960.0929
  store float %.2057, ptr %.2061, align 4
  %.2016 = icmp sgt i64 %.1963.0930, 1
  br i1 %.2016, label %B1796.if, label %B1876.preheader

B1876.if:                                         ; preds = %B1876.if.lr.ph, %B1876.if
  %.2097.0933 = phi i64 [ %storemerge515, %B1876.if.lr.ph ], [ %.2159, %B1876.if ]
  %.2094.0932 = phi i64 [ 0, %B1876.if.lr.ph ], [ %.2163, %B1876.if ]
  %.2159 = add nsw i64 %.2097.0933, -1
  %.2163 = add nuw nsw i64 %.2094.0932, 1
  %29 = getelementptr float, ptr %arg.scratch, i64 %.2094.0932
  %.2190 = getelementptr i8, ptr %29, i64 8192
  %.2191 = load float, ptr %.2190, align 4
  %.2197 = getelementptr float, ptr %12, i64 %.2094.0932
  store float %.2191, ptr %.2197, align 4
  %.2150 = icmp sgt i64 %.2097.0933, 1
  br i1 %.2150, label %B1876.if, label %B1941
}

declare float @llvm.sqrt.f32(float)

declare float @llvm.floor.f32(float)

declare i64 @llvm.smin.i64(i64, i64)

declare i64 @llvm.smax.i64(i64, i64)

!0 = !{!1}
!1 = distinct !{!1, !2, !"numba"}
!2 = distinct !{!2, !"numba"}
!3 = !{!4}
!4 = distinct !{!4, !5, !"numba"}
!5 = distinct !{!5, !"numba"}
!6 = !{!7}
!7 = distinct !{!7, !8, !"numba"}
!8 = distinct !{!8, !"numba"}
